// Makes a Fetch answer safe to be decoded by kafkajs, in place and before it is. Whoever may write to a topic can write batches that
// kafkajs cannot bear, and one of them would stop every member of the group, one after another, until retention removes it.
//
//   answer   throttle i32 | (7+: error i16, session i32) | topics: name STRING, partitions: [
//              partition i32, error i16, high i64, stable i64, (5+: start i64), aborted: [i64, i64], (11: replica i32), records BYTES ]
//   batch    offset i64, length i32, epoch i32, magic i8 (at 16), crc i32, attributes i16 (21), last offset delta i32 (23),
//              times, producer …, count i32 (57), records (61), which are compressed as the attributes' low three bits say
//   record   length, attributes i8, time, offset delta, key, value, headers: all but one of them varints    (https://kafka.apache.org/documentation/#messageformat)
//
// A batch in a codec that nobody here knows (snappy, lz4), too large unpacked, with too many records or headers, or broken, is made one
// record without key, value and headers at the batch's last offset: its reader finds it malformed, tells so, and goes on behind it.
//
// Of what is unpacked an answer has a budget, beyond which it ends as if cut off: kafkajs asks for the rest again.
//
// Guarantees: never throws for what lies in a batch; linear in the answer and in what may be unpacked of it; other batches stay as they are.

/** Unpacks; rejects for what it cannot unpack, or what is too large. */
export type Inflate = (bytes: Buffer) => Promise<Buffer>;

/** Ours have three headers, dead letters fewer than these; kafkajs copies all that it has for each one. */
const HEADERS_MAX = 32;
/** Ours are some hundred at most. More than twice as many overflow the stack of kafkajs. */
const RECORDS_MAX = 50_000;

/** Of all batches of an answer together, where they are more than one. */
const UNPACKED_BYTES_MAX = 256 * 1024 * 1024;

const MAGIC = 2;
const LENGTH_AT = 8;
const MAGIC_AT = 16;
const ATTRIBUTES_AT = 21;
const DELTA_AT = 23;
const COUNT_AT = 57;
const RECORDS_AT = 61;
/** Of `length`, which counts what follows it. */
const LENGTH_END = 12;
const CODEC_MASK = 7;
/** As a length: of more than there is. */
const CUT_OFF = 0x7fffffff;
const BYTES_I64 = 8;
/** By version: the first that has a log's start, a session, a preferred replica. */
const WITH_START = 5;
const WITH_SESSION = 7;
const WITH_REPLICA = 11;

/** Mends the answer to a Fetch request of version 4 to 11. What a codec unpacked is told to `unpacked`, with the bytes that it was. */
export async function mendFetchAnswer(
  answer: Buffer,
  version: number,
  { inflates, unpacked }: { inflates: ReadonlyMap<number, Inflate>; unpacked: (packed: Buffer, bytes: Buffer) => void },
): Promise<void> {
  let left = UNPACKED_BYTES_MAX;
  for (const { at: start, end } of recordSets(answer, version)) {
    for (let at = start; at + RECORDS_AT <= end;) {
      const next = at + LENGTH_END + answer.readInt32BE(at + LENGTH_AT);
      // The last one may be cut off; what is no batch at all is left to kafkajs.
      if (next < at + RECORDS_AT || next > end || answer[at + MAGIC_AT] !== MAGIC) break;
      const batch = answer.subarray(at, next);
      const packed = batch.subarray(RECORDS_AT);
      const codec = batch.readInt16BE(ATTRIBUTES_AT) & CODEC_MASK;
      const count = batch.readInt32BE(COUNT_AT);
      at = next;
      // Of a batch that compaction has emptied the head is left, with its codec.
      if (count === 0) {
        clearCodec(batch);
        continue;
      }
      const bytes =
        codec === 0
          ? packed
          : await inflates
              .get(codec)?.(packed)
              .catch(() => undefined);
      if (codec !== 0 && bytes !== undefined) {
        if (bytes.length > left && left < UNPACKED_BYTES_MAX) {
          batch.writeInt32BE(CUT_OFF, LENGTH_AT);
          break;
        }
        left -= bytes.length;
      }
      if (bytes === undefined || !areRecords(bytes, count)) blank(batch);
      else if (codec !== 0) unpacked(packed, bytes);
    }
  }
}

/** Where the records of each partition lie. Ends early where the answer is cut off, which kafkajs notices as well. */
function* recordSets(answer: Buffer, version: number): Generator<{ readonly at: number; readonly end: number }> {
  let at = 0;
  const canSkip = (bytes: number): boolean => (at += bytes) <= answer.length;
  const readCount = (): number => (canSkip(4) ? answer.readInt32BE(at - 4) : 0);
  if (!canSkip(version >= WITH_SESSION ? 10 : 4)) return;
  for (let topics = readCount(); topics > 0; topics--) {
    if (!canSkip(2) || !canSkip(Math.max(0, answer.readInt16BE(at - 2)))) return;
    for (let partitions = readCount(); partitions > 0; partitions--) {
      if (!canSkip(6 + 2 * BYTES_I64 + (version >= WITH_START ? BYTES_I64 : 0))) return;
      if (!canSkip(Math.max(0, readCount()) * 2 * BYTES_I64)) return;
      if (!canSkip(version >= WITH_REPLICA ? 4 : 0)) return;
      const bytes = Math.max(0, readCount());
      if (!canSkip(bytes)) return;
      yield { at: at - bytes, end: at };
    }
  }
}

/** Whether these are so many whole records that kafkajs decodes in time. */
function areRecords(bytes: Buffer, count: number): boolean {
  if (count < 0 || count > RECORDS_MAX) return false;
  const place = { at: 0 };
  for (let i = 0; i < count; i++) {
    const length = varint(bytes, place);
    const end = place.at + length;
    if (!(length >= 0 && end <= bytes.length) || !isRecord(bytes, place, end)) return false;
    place.at = end;
  }
  return true;
}

function isRecord(bytes: Buffer, place: { at: number }, end: number): boolean {
  place.at += 1;
  varint(bytes, place);
  varint(bytes, place);
  skipBytes(bytes, place);
  skipBytes(bytes, place);
  const headers = varint(bytes, place);
  if (!(headers >= 0 && headers <= HEADERS_MAX)) return false;
  for (let i = 0; i < 2 * headers; i++) skipBytes(bytes, place);
  // Also where a length was none: then it is not a number.
  return place.at <= end;
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

/** Makes it one record of nothing, at the last offset. Its producer and its transaction stay what they were. */
function blank(batch: Buffer): void {
  const delta = signedVarint(batch.readInt32BE(DELTA_AT));
  // attributes, time, offset delta, no key, no value, no headers
  const record = [0, 0, ...delta, 1, 1, 0];
  clearCodec(batch);
  // A batch too short for it holds no record of any codec; then its reader sees none.
  const fits = RECORDS_AT + 1 + record.length <= batch.length;
  batch.writeInt32BE(fits ? 1 : 0, COUNT_AT);
  if (fits) batch.set([record.length * 2, ...record], RECORDS_AT);
}

function clearCodec(batch: Buffer): void {
  batch.writeInt16BE(batch.readInt16BE(ATTRIBUTES_AT) & ~CODEC_MASK, ATTRIBUTES_AT);
}

function signedVarint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return [...bytes, rest];
}
