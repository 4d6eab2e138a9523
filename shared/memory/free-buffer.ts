// Gives the memory of large buffers back at once, where it is known that nobody reads them any more.

/** Gives the memory of a buffer back without waiting for a collection, and with it all that shares it: it has none. */
export function freeOwn({ buffer }: Pick<Uint8Array, 'buffer'>): void {
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}

/** As `freeOwn`, but not of a small one, which may lie in Node's pool with others. */
export function freeBuffer(bytes: Uint8Array): void {
  if (bytes.length > Buffer.poolSize) freeOwn(bytes);
}
