/** Where ids come from: `node:crypto`, or a seeded source that names everything alike in each run. */
export type RandomBytes = (size: number) => Uint8Array;

export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
