// How long a text is as Elasticsearch counts it, in UTF-16 units: what is longer than a field's `ignore_above` is kept
// but not indexed. Pure; linear, and only where the bytes are more than the limit.

/** Of the fields of type `keyword`, of those below `attributes` (template.ts), and of texts of any length. */
export const UNITS_KEYWORD = 1024;
export const UNITS_ATTRIBUTE = 8191;
export const UNITS_ANY = Infinity;

/** Whether the UTF-8 in bytes[start, end) has more than so many UTF-16 units. */
export function isLongerThan(bytes: Uint8Array, start: number, end: number, units: number): boolean {
  if (end - start <= units) return false;
  let left = units;
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at]!;
    // Bytes that go on a sequence count nothing; a sequence of four is a pair of units.
    if ((byte & 0xc0) === 0x80) continue;
    left -= byte >= 0xf0 ? 2 : 1;
    if (left < 0) return true;
  }
  return false;
}
