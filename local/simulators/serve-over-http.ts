import type { Request, Response } from 'express';
import type { VendorServer } from './vendor-server.js';

/** Ends the connection without an answer: the client sees a reset. */
export function hangUp(res: Response): void {
  if (res.socket === null) return;
  res.socket.resetAndDestroy();
}

/** Puts a vendor's API on HTTP; the body must have been read as text. */
export function serveOverHttp(server: VendorServer) {
  return async (req: Request, res: Response): Promise<void> => {
    const answer = await server({
      method: req.method,
      path: req.originalUrl,
      headers: Object.fromEntries(Object.entries(req.headers).map(([name, value]) => [name, String(value)])),
      body: typeof req.body === 'string' ? req.body : '',
    });
    if (answer === undefined) hangUp(res);
    else res.status(answer.status).set(answer.headers).send(answer.body);
  };
}
