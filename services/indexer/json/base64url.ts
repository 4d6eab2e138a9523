// Bytes → base64url without padding (RFC 4648, section 5), as ASCII into a buffer that has room for it: the ids of
// documents, written once for each event. Each function returns where it stopped.

const BASE64URL = Uint8Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_', (letter) =>
  letter.charCodeAt(0),
);

/** Writes source[start, end) to `target` from `at` on. */
export function writeBase64url(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): number {
  let to = at;
  let from = start;
  for (; from + 3 <= end; from += 3) {
    const three = (source[from]! << 16) | (source[from + 1]! << 8) | source[from + 2]!;
    target[to++] = BASE64URL[three >> 18]!;
    target[to++] = BASE64URL[(three >> 12) & 63]!;
    target[to++] = BASE64URL[(three >> 6) & 63]!;
    target[to++] = BASE64URL[three & 63]!;
  }
  if (from < end) {
    const two = (source[from]! << 8) | (from + 1 < end ? source[from + 1]! : 0);
    target[to++] = BASE64URL[two >> 10]!;
    target[to++] = BASE64URL[(two >> 4) & 63]!;
    if (from + 1 < end) target[to++] = BASE64URL[(two & 15) << 2]!;
  }
  return to;
}

/** Writes the seven letters of a byte and a u32: the end of a name. */
export function writeBase64urlTail(byte: number, index: number, target: Uint8Array, at: number): number {
  const three = (byte << 16) | (index >>> 16);
  target[at] = BASE64URL[three >> 18]!;
  target[at + 1] = BASE64URL[(three >> 12) & 63]!;
  target[at + 2] = BASE64URL[(three >> 6) & 63]!;
  target[at + 3] = BASE64URL[three & 63]!;
  target[at + 4] = BASE64URL[(index >> 10) & 63]!;
  target[at + 5] = BASE64URL[(index >> 4) & 63]!;
  target[at + 6] = BASE64URL[(index & 15) << 2]!;
  return at + 7;
}
