// Columns of whole numbers as bytes: what each differs from the one before, so that what grows evenly becomes a run of
// the same byte. Pure.
//
//   0 | zigzag(n1) | zigzag(n2 - n1) | …     varints, little-endian groups of seven bits
//   1 | n1 | n2 | …                          doubles, where a difference would not be exact

const DIFFERENCES = 0;
const DOUBLES = 1;
const VARINT_MAX = 8;
const INT_MAX = 0x7fff_ffff;
/** Of four groups. */
const INT_BITS = 28;

export function encodeIntegers(values: ArrayLike<number>): Uint8Array {
  const bytes = new Uint8Array(1 + values.length * VARINT_MAX);
  bytes[0] = DIFFERENCES;
  let at = 1;
  let before = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0;
    const difference = value - before;
    // Twice of it has to be exact too.
    if (!(Math.abs(difference) < 2 ** 51) || !Number.isSafeInteger(value)) return encodeDoubles(values);
    let rest = difference < 0 ? -2 * difference - 1 : 2 * difference;
    while (rest > INT_MAX) {
      bytes[at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    // Most are this small: without divisions.
    while (rest >= 0x80) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    before = value;
  }
  return bytes.slice(0, at);
}

/** `bytes` are of `encodeIntegers`, and of so many numbers. */
export function decodeIntegers(bytes: Uint8Array, count: number): Float64Array {
  const values = new Float64Array(count);
  if (bytes[0] === DOUBLES) {
    new Uint8Array(values.buffer).set(bytes.subarray(1, 1 + values.byteLength));
    return values;
  }
  let at = 1;
  let value = 0;
  for (let i = 0; i < count; i++) {
    let byte = bytes[at++] ?? 0;
    let rest = byte & 0x7f;
    // Most are this small: without doubles.
    for (let shift = 7; byte >= 0x80 && shift < INT_BITS; shift += 7) {
      byte = bytes[at++] ?? 0;
      rest |= (byte & 0x7f) << shift;
    }
    if (byte < 0x80) value += (rest & 1) === 1 ? -(rest >> 1) - 1 : rest >> 1;
    else {
      for (let unit = 2 ** INT_BITS; byte >= 0x80; unit *= 0x80) {
        byte = bytes[at++] ?? 0;
        rest += (byte & 0x7f) * unit;
      }
      value += rest % 2 === 1 ? -(rest + 1) / 2 : rest / 2;
    }
    values[i] = value;
  }
  return values;
}

function encodeDoubles(values: ArrayLike<number>): Uint8Array {
  const doubles = Float64Array.from(values);
  const bytes = new Uint8Array(1 + doubles.byteLength);
  bytes[0] = DOUBLES;
  bytes.set(new Uint8Array(doubles.buffer), 1);
  return bytes;
}
