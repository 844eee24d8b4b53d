import type { openApiDocument } from './openapi.js';

const escape = (text: string) => text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);

interface Operation {
  summary?: string;
  requestBody?: unknown;
  responses?: Record<string, { description?: string }>;
}

/** A readable page of the API, made from /openapi.json; no script and no asset from anywhere else. */
export function docsPage(document: ReturnType<typeof openApiDocument>): string {
  const paths = Object.entries(document.paths ?? {}) as [string, Record<string, Operation>][];
  const operations = paths.flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { summary = '', requestBody, responses = {} }]) => {
      const rows = Object.entries(responses).map(
        ([status, { description = '' }]) =>
          `<tr><td>${escape(status)}</td><td>${escape(description)}</td></tr>`,
      );
      const body = requestBody
        ? `<details><summary>Request body</summary><pre>${escape(JSON.stringify(requestBody, null, 2))}</pre></details>`
        : '';
      return `<section><h2><span>${escape(method.toUpperCase())}</span> ${escape(path)}</h2><p>${escape(summary)}</p>${body}<table>${rows.join('')}</table></section>`;
    }),
  );
  const schemas = Object.entries(document.components?.schemas ?? {}).map(
    ([name, schema]) =>
      `<details id="${escape(name)}"><summary>${escape(name)}</summary><pre>${escape(JSON.stringify(schema, null, 2))}</pre></details>`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escape(document.info.title)} API</title>
<style>
body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;color:#1a1f36;background:#fff}
h1{font-size:1.6rem}h2{font:600 1rem ui-monospace,monospace;margin:0}h2 span{color:#0a5bd3}
section{border:1px solid #d8dee9;border-radius:8px;padding:1rem;margin:1rem 0}
table{border-collapse:collapse;font-size:.9rem}td{padding:.15rem .8rem .15rem 0;vertical-align:top}
pre{background:#f6f8fa;padding:.8rem;overflow:auto;border-radius:6px;font-size:.8rem}summary{cursor:pointer}
</style></head><body><h1>${escape(document.info.title)} API</h1><p>${escape(document.info.description ?? '')}</p>
<p><a href="/openapi.json">openapi.json</a></p>${operations.join('')}<h1>Schemas</h1>${schemas.join('')}</body></html>`;
}
