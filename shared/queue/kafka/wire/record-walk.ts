// Walks the records of a batch of Kafka's without decoding them: whether they are what their batch says, and what
// decoding them costs.
//
//   record   length, attributes i8, time, offset delta, key, value, headers: all but one of them varints
//
// Guarantees: never throws, linear in the bytes; where kafkajs reads a varint in another way, because it is too long,
// nothing is accepted.

/** Ours have three headers, dead letters fewer than these; kafkajs copies all that it has for each one. */
const HEADERS_MAX = 32;
/** What a record costs at least, as a count of headers: ours cost that much. */
export const RECORD_COST = 4;
/**
 * What it costs to decode these, or null: they are not so many whole records whose offsets rise within those of their
 * batch, or they cost more than they may. A compacted topic leaves records out, so offsets need not follow on one
 * another.
 */
export function costOf(
  bytes: Buffer,
  { count, lastDelta, costMax }: { readonly count: number; readonly lastDelta: number; readonly costMax: number },
): number | null {
  const place = { at: 0, delta: -1 };
  let cost = 0;
  for (let i = 0; i < count; i++) {
    const length = varint(bytes, place);
    const end = place.at + length;
    if (!(length >= 0 && end <= bytes.length)) return null;
    const before = place.delta;
    const headers = headersOf(bytes, place, end);
    if (headers === null || !(place.delta > before && place.delta <= lastDelta)) return null;
    cost += Math.max(RECORD_COST, 1 + headers);
    if (cost > costMax) return null;
    place.at = end;
  }
  return cost;
}

/** How many headers the record has that ends here, whose delta it leaves; null where it is broken. */
function headersOf(bytes: Buffer, place: { at: number; delta: number }, end: number): number | null {
  place.at += 1;
  const time = varint(bytes, place);
  place.delta = varint(bytes, place);
  skipBytes(bytes, place);
  skipBytes(bytes, place);
  const headers = varint(bytes, place);
  if (!(headers >= 0 && headers <= HEADERS_MAX) || Number.isNaN(time)) return null;
  for (let i = 0; i < 2 * headers; i++) skipBytes(bytes, place);
  // Also where a length was none: then it is not a number.
  return place.at <= end ? headers : null;
}

function skipBytes(bytes: Buffer, place: { at: number }): void {
  const length = varint(bytes, place);
  place.at += length >= -1 ? Math.max(0, length) : Number.NaN;
}

/** Signed, of ten bytes at most; not exact above 2^53, where only its end counts. Not a number where there is none. */
function varint(bytes: Buffer, place: { at: number }): number {
  let value = 0;
  let unit = 1;
  for (let i = 0; i < 10; i++) {
    const byte = bytes[place.at++];
    if (byte === undefined) break;
    value += (byte & 0x7f) * unit;
    if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    unit *= 128;
  }
  return Number.NaN;
}
