/** Parameters as both vendors send them: flat form keys such as `line_items[0][price_data][currency]`, never nested. */
export type FormParams = ReadonlyMap<string, string>;

export function parseForm(text: string): Map<string, string> {
  const params = new Map<string, string>();
  for (const [key, value] of new URLSearchParams(text)) {
    if (!key.endsWith('[]')) {
      params.set(key, value);
      continue;
    }
    let index = 0;
    while (params.has(`${key.slice(0, -2)}[${index}]`)) index += 1;
    params.set(`${key.slice(0, -2)}[${index}]`, value);
  }
  return params;
}

/** `{a: '1'}` from `metadata[a]=1`. */
export function hashParam(params: FormParams, name: string): Record<string, string> {
  const hash: Record<string, string> = {};
  for (const [key, value] of params) {
    if (key.startsWith(`${name}[`) && key.endsWith(']')) hash[key.slice(name.length + 1, -1)] = value;
  }
  return hash;
}

export function listParam(params: FormParams, name: string): string[] {
  return [...params]
    .filter(([key]) => /\[\d+\]$/.test(key) && key.startsWith(`${name}[`))
    .map(([, value]) => value);
}

/**
 * The first parameter a route does not know, so that a misspelt or removed one fails here as it would at the vendor.
 * In `allowed`, `[#]` stands for an index and a trailing `[*]` for one free key.
 */
export function unknownParam(params: FormParams, allowed: readonly string[]): string | undefined {
  return [...params.keys()].find((key) => {
    const shape = key.replaceAll(/\[\d+\]/g, '[#]');
    const free = shape.replace(/\[[^[\]]+\]$/, '[*]');
    return !allowed.includes(shape) && !allowed.includes(free);
  });
}
