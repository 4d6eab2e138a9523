// Names of labels in which nothing can be taken for an object in another, or for a path. Pure.

export const SAFE = 0x5f;

/** A dot or a slash. */
export function isUnsafe(byte: number): boolean {
  return byte === 0x2e || byte === 0x2f;
}

/** The same in bytes[start, end). */
export function makeSafe(bytes: Uint8Array, start: number, end: number): void {
  for (let at = start; at < end; at += 1) if (isUnsafe(bytes[at]!)) bytes[at] = SAFE;
}
