/** A request as it arrives at a vendor, however it was carried. */
export interface VendorRequest {
  method: string;
  /** With its query. */
  path: string;
  /** Names in lower case. */
  headers: Readonly<Record<string, string>>;
  body: string;
}

export interface VendorAnswer {
  status: number;
  /** Names in lower case. */
  headers: Record<string, string>;
  body: string;
}

/** A vendor's API without a network; `undefined` where the connection was dropped without an answer. */
export type VendorServer = (request: VendorRequest) => Promise<VendorAnswer | undefined>;

export function splitPath(request: VendorRequest): { path: string; query: string } {
  const [path = '', ...query] = request.path.split('?');
  return { path, query: query.join('?') };
}
