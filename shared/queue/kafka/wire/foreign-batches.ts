// Makes a Fetch answer safe to be decoded by kafkajs, in place and before it is. Whoever may write to a topic can write
// batches that kafkajs cannot bear, and one of them would stop every member of the group, one after another, until
// retention removes it.
//
//   answer   throttle i32 | (7+: error i16, session i32) | topics: name STRING, partitions: [
//              partition i32, error i16, high i64, stable i64, (5+: start i64), aborted: [i64, i64], (11: replica i32),
//              records BYTES ]
//   batch    offset i64, length i32, epoch i32, magic i8 (at 16), crc i32, attributes i16 (21),
//              last offset delta i32 (23), times, producer …, count i32 (57),
//              records (61), which are compressed as the attributes' low three bits say
//   record   length, attributes i8, time, offset delta, key, value, headers: all but one of them varints
//            (https://kafka.apache.org/documentation/#messageformat)
//
// A batch in a codec that nobody here knows, too large unpacked, with too many records or headers, or broken, is made
// one record without key, value and headers at the batch's last offset. Its attributes, which Kafka does not use, tell
// it from a tombstone (`isBlanked`). Its reader finds it malformed, tells so, and goes on behind it. Brokers do not
// look at the offset deltas of batches that are not compressed: records must rise within the offsets of the batch.
//
// An answer has a budget of unpacked bytes and of records. Where it is spent a partition ends as if cut off: kafkajs
// asks for the rest again. The first batch always goes, and which partition is the first is left to chance, so that
// none waits for another one for ever.
//
// Guarantees: never throws for what lies in a batch; linear in the answer and in what may be unpacked of it; other
// batches stay as they are.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { openedBytesMax } from '#shared/record/value-limit.ts';
import type { BatchEnd } from './end-marks.ts';
import { costOf, RECORD_COST } from './record-walk.ts';

/** Unpacks; resolves to null for what is larger than `bytesMax`, and rejects for what it cannot unpack. */
export type Inflate = (packed: Buffer, bytesMax: number) => Promise<Buffer | null>;

/** Ours are some hundred in a batch. More than twice as many overflow the stack of kafkajs. */
const RECORDS_MAX = 50_000;
/** Of a batch, and of an answer, where it is more than one. */
const COST_MAX = RECORDS_MAX * RECORD_COST;
/**
 * Of one batch: a topic that compresses compresses records of ours again, each with the largest value that an indexer
 * opens.
 */
export const INFLATED_BYTES_MAX = openedBytesMax(0);
/** Of the batches of an answer together, but for the first: what an indexer has in hand by default. */
const UNPACKED_BYTES_MAX = 32 * 1024 * 1024;
/** So many records are looked at, or decoded, until others have their turn. */
const TURN_RECORDS = 2000;

const MAGIC = 2;
const LENGTH_AT = 8;
const MAGIC_AT = 16;
const EPOCH_AT = 12;
const ATTRIBUTES_AT = 21;
const DELTA_AT = 23;
const COUNT_AT = 57;
const RECORDS_AT = 61;
/** Of `length`, which counts what follows it. */
const LENGTH_END = 12;
const CODEC_MASK = 7;
/** Any codec for which kafkajs asks whoever unpacks. */
const GZIP = 1;
/** As a length: of more than there is. */
const CUT_OFF = 0x7fffffff;
const BYTES_I64 = 8;
/** Attributes of a record that stands for a batch. */
const BLANKED = 0x55;
/** By version: the first that has a log's start, a session, a preferred replica. */
const WITH_START = 5;
const WITH_SESSION = 7;
const WITH_REPLICA = 11;

/** Whether it stands for a batch that could not be read. */
export function isBlanked(message: { readonly attributes?: number }): boolean {
  return message.attributes === BLANKED;
}

export interface MendOptions {
  readonly inflates: ReadonlyMap<number, Inflate>;
  /** Told what a codec unpacked, with the bytes that it was; and what is to be decoded in a turn of its own. */
  readonly unpacked: (packed: Buffer, bytes: Buffer) => void;
  /** From 0 to below 1: at which of the partitions it begins. */
  readonly begin: number;
}

/** Mends the answer to a Fetch request of version 4 to 11. Resolves to where each partition ends. */
export async function mendFetchAnswer(
  answer: Buffer,
  version: number,
  options: MendOptions,
): Promise<(BatchEnd | null)[]> {
  const sets = [...recordSets(answer, version)];
  const begin = Math.floor(options.begin * sets.length);
  const budget = new AnswerBudget();
  const ends: (BatchEnd | null)[] = sets.map(() => null);
  for (const i of [...sets.keys()].map((number) => (begin + number) % sets.length)) {
    const { at = 0, end = 0 } = sets[i] ?? {};
    ends[i] = await mendBatches(answer.subarray(at, end), budget, options);
  }
  return ends;
}

class AnswerBudget {
  #bytes = UNPACKED_BYTES_MAX;
  #cost = COST_MAX;
  #isFirst = true;
  #sinceTurn = 0;

  /** What the next batch may have when it is unpacked; more would never fit for the first one. */
  get bytesMax(): number {
    return this.#isFirst ? INFLATED_BYTES_MAX : Math.min(this.#bytes, INFLATED_BYTES_MAX);
  }

  get isFirst(): boolean {
    return this.#isFirst;
  }

  /** Whether there was room for it, which is always so for the first. */
  takes({ bytes, cost }: { readonly bytes: number; readonly cost: number }): boolean {
    if (!this.#isFirst && (bytes > this.#bytes || cost > this.#cost)) return false;
    this.#isFirst = false;
    this.#bytes = Math.max(0, this.#bytes - bytes);
    this.#cost -= cost;
    return true;
  }

  async turn(records: number): Promise<void> {
    this.#sinceTurn += records;
    if (this.#sinceTurn < TURN_RECORDS) return;
    this.#sinceTurn = 0;
    await nextTurn();
  }
}

async function mendBatches(
  set: Buffer,
  budget: AnswerBudget,
  { inflates, unpacked }: MendOptions,
): Promise<BatchEnd | null> {
  let end: BatchEnd | null = null;
  for (let at = 0; at + RECORDS_AT <= set.length;) {
    const next = at + LENGTH_END + set.readInt32BE(at + LENGTH_AT);
    // The last one may be cut off; what is no batch at all is left to kafkajs.
    if (next < at + RECORDS_AT || next > set.length || set[at + MAGIC_AT] !== MAGIC) return end;
    const batch = set.subarray(at, next);
    at = next;
    const packed = batch.subarray(RECORDS_AT);
    const codec = batch.readInt16BE(ATTRIBUTES_AT) & CODEC_MASK;
    const count = batch.readInt32BE(COUNT_AT);
    // Of a batch that compaction has emptied the head is left, with its codec.
    if (count === 0) {
      clearCodec(batch);
      end = endOf(batch);
      continue;
    }
    const isPossible = count > 0 && count <= RECORDS_MAX;
    const bytes = !isPossible || codec === 0 ? packed : await opened(packed, inflates.get(codec), budget);
    if (bytes === null) {
      cutOff(batch);
      return end;
    }
    const cost =
      bytes === undefined || !isPossible
        ? null
        : costOf(bytes, { count, lastDelta: batch.readInt32BE(DELTA_AT), costMax: COST_MAX });
    const inflated = codec === 0 || cost === null ? 0 : (bytes?.length ?? 0);
    if (!budget.takes({ bytes: inflated, cost: cost ?? RECORD_COST })) {
      cutOff(batch);
      return end;
    }
    end = endOf(batch);
    if (bytes === undefined || cost === null) {
      blank(batch);
      continue;
    }
    if (codec !== 0) unpacked(packed, bytes);
    else if (count > TURN_RECORDS) {
      // kafkajs waits for a codec only.
      batch.writeInt16BE(batch.readInt16BE(ATTRIBUTES_AT) | GZIP, ATTRIBUTES_AT);
      unpacked(packed, packed);
    }
    await budget.turn(count);
  }
  return end;
}

function endOf(batch: Buffer): BatchEnd {
  const lastOffset = Number(batch.readBigInt64BE(0)) + Math.max(0, batch.readInt32BE(DELTA_AT));
  return { lastOffset, epoch: batch.readInt32BE(EPOCH_AT) };
}

/** Null where it has no room in this answer, undefined where it never has, or cannot be unpacked. */
async function opened(
  packed: Buffer,
  inflate: Inflate | undefined,
  budget: AnswerBudget,
): Promise<Buffer | null | undefined> {
  const { bytesMax, isFirst } = budget;
  if (inflate === undefined) return undefined;
  const bytes = bytesMax > 0 ? await inflate(packed, bytesMax).catch(() => undefined) : null;
  return bytes === null && isFirst ? undefined : bytes;
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

/** Makes it one record of nothing, at the last offset. Its producer and its transaction stay what they were. */
function blank(batch: Buffer): void {
  const delta = signedVarint(Math.max(0, batch.readInt32BE(DELTA_AT)));
  // attributes, time, offset delta, no key, no value, no headers
  const record = [BLANKED, 0, ...delta, 1, 1, 0];
  clearCodec(batch);
  // A batch too short for it holds no record of any codec; then its reader sees none.
  const fits = RECORDS_AT + 1 + record.length <= batch.length;
  batch.writeInt32BE(fits ? 1 : 0, COUNT_AT);
  if (fits) batch.set([record.length * 2, ...record], RECORDS_AT);
}

function cutOff(batch: Buffer): void {
  batch.writeInt32BE(CUT_OFF, LENGTH_AT);
}

function clearCodec(batch: Buffer): void {
  batch.writeInt16BE(batch.readInt16BE(ATTRIBUTES_AT) & ~CODEC_MASK, ATTRIBUTES_AT);
}

/** Of what is not negative. */
function signedVarint(value: number): number[] {
  const bytes: number[] = [];
  let rest = 2 * value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return [...bytes, rest];
}
