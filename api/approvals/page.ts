import { createHash } from 'node:crypto';

/** A fact on the page: a label and its value. */
export type Row = readonly [label: string, value: string];

export interface ApprovalPage {
  merchant: string;
  title: string;
  amount: string;
  rows: readonly Row[];
  /** What happened to this payment so far, oldest first. */
  history: readonly Row[];
  /** Who decides; absent once nothing can be decided any more. */
  decideAs?: string;
}

const escape = (text: string) => text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);

const style = `
:root{color-scheme:light dark}
body{font:17px/1.5 system-ui,sans-serif;margin:0 auto;max-width:34rem;padding:1.25rem;color:#1a1f36;background:#f6f8fb}
main{background:#fff;border-radius:14px;padding:1.25rem 1.25rem 1.5rem;box-shadow:0 1px 4px #0002}
h1{font-size:1.15rem;margin:0}h2{font-size:1rem;margin:1.5rem 0 .4rem}
.amount{font-size:2.4rem;font-weight:700;margin:.3rem 0 1rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.35rem 1rem;margin:0}dt{color:#56607a}dd{margin:0;overflow-wrap:anywhere}
label{display:block;margin:1.25rem 0 .3rem;font-weight:600}
textarea{width:100%;box-sizing:border-box;font:inherit;padding:.6rem;border:1px solid #8892a6;border-radius:8px;background:#fff;color:inherit}
.buttons{display:flex;gap:.75rem;margin-top:1rem}
button{flex:1;font:600 1.05rem system-ui,sans-serif;padding:.9rem;border-radius:10px;border:2px solid #0b6e4f;background:#0b6e4f;color:#fff;cursor:pointer}
button.deny{background:#fff;color:#a3212b;border-color:#a3212b}
button:focus-visible,textarea:focus-visible{outline:3px solid #1f6feb;outline-offset:2px}
footer{color:#56607a;font-size:.85rem;margin-top:1rem}
@media (prefers-color-scheme:dark){body{background:#10141c;color:#e8ecf4}main{background:#1a2130}dt,footer{color:#a3adc2}textarea,button.deny{background:#10141c}button.deny{color:#ff8f96;border-color:#ff8f96}}
`;

/** Headers that keep the page to itself: no script, no frame, no referrer, no copy in a cache. */
export const pageHeaders: Readonly<Record<string, string>> = {
  'Content-Security-Policy': `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-store',
  'X-Robots-Tag': 'noindex, nofollow',
};

const list = (rows: readonly Row[]) =>
  `<dl>${rows.map(([label, value]) => `<dt>${escape(label)}</dt><dd>${escape(value)}</dd>`).join('')}</dl>`;

function shell(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title><style>${style}</style></head><body><main>${body}</main></body></html>`;
}

/** The page on which a person decides. Works without script, by keyboard and with a screen reader. */
export function approvalPage(page: ApprovalPage): string {
  const form =
    page.decideAs === undefined
      ? ''
      : `<form method="post" autocomplete="off">
<label for="note">Note (optional)</label><textarea id="note" name="note" rows="3" maxlength="500"></textarea>
<div class="buttons"><button name="decision" value="approved">Approve refund</button><button class="deny" name="decision" value="denied">Deny</button></div>
</form><footer>You decide as ${escape(page.decideAs)}. The first decision stands.</footer>`;
  const history = page.history.length > 0 ? `<h2>History of this payment</h2>${list(page.history)}` : '';
  return shell(
    page.title,
    `<h1>${escape(page.merchant)}: ${escape(page.title)}</h1><p class="amount">${escape(page.amount)}</p>${list(page.rows)}${form}${history}`,
  );
}

/** A page that only says something. */
export function messagePage(title: string, text: string): string {
  return shell(title, `<h1>${escape(title)}</h1><p>${escape(text)}</p>`);
}
