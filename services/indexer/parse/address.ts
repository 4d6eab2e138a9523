// Whether a text is an address of IPv4 or IPv6, as a field of type `ip` takes it. Pure, and linear: what is too long is
// none.

const BYTES_MAX = 45;
const POINT = 0x2e;
const COLON = 0x3a;
const GROUPS = 8;

export function isAddress(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < 2 || end - start > BYTES_MAX) return false;
  for (let at = start; at < end; at += 1) if (bytes[at] === COLON) return isVersion6(bytes, start, end);
  return isVersion4(bytes, start, end);
}

/** Four numbers up to 255, without zeros before them. */
function isVersion4(bytes: Uint8Array, start: number, end: number): boolean {
  let numbers = 0;
  for (let at = start; at <= end; at += 1) {
    const first = at;
    let value = 0;
    while (at < end && isDigit(bytes[at]!)) value = value * 10 + bytes[at++]! - 0x30;
    const digits = at - first;
    if (digits === 0 || digits > 3 || value > 255 || (digits > 1 && bytes[first] === 0x30)) return false;
    numbers += 1;
    if (at < end && bytes[at] !== POINT) return false;
  }
  return numbers === 4;
}

/** Eight groups of up to four hex digits; once, `::` for several of zeros; two may be an address of version 4. */
function isVersion6(bytes: Uint8Array, start: number, end: number): boolean {
  let groups = 0;
  let isShortened = false;
  let at = start;
  if (bytes[at] === COLON) {
    if (bytes[at + 1] !== COLON) return false;
    isShortened = true;
    at += 2;
  }
  while (at < end) {
    const first = at;
    while (at < end && isHex(bytes[at]!)) at += 1;
    if (at < end && bytes[at] === POINT) {
      groups += 2;
      if (!isVersion4(bytes, first, end)) return false;
      break;
    }
    if (at === first || at - first > 4) return false;
    groups += 1;
    if (at === end) break;
    if (bytes[at] !== COLON) return false;
    at += 1;
    if (at === end) return false;
    if (bytes[at] !== COLON) continue;
    if (isShortened) return false;
    isShortened = true;
    at += 1;
  }
  return isShortened ? groups < GROUPS : groups === GROUPS;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function isHex(byte: number): boolean {
  const small = byte | 0x20;
  return isDigit(byte) || (small >= 0x61 && small <= 0x66);
}
