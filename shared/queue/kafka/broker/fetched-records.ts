// kafkajs's messages as the records that readers see.

import type { FetchedRecord } from '../../queue.ts';
import type { EpochStart } from '../positions/assignments.ts';
import { ForeignHeaders } from '../../foreign-headers.ts';
import { isEndMark } from '../wire/end-marks.ts';
import { isBlanked } from '../wire/foreign-batches.ts';
import type { KafkaMessage } from '../kafkajs/client.ts';
import { epochOf } from '../kafkajs/untyped-fields.ts';

const EMPTY = Buffer.alloc(0);
/** What a Date can hold. */
const TIME_MS_MAX = 8.64e15;

/** A time as Kafka gives it: where the topic does not set it, its producer chose it, anywhere in 64 bits. */
export function timeMsOf(timestamp: string): number {
  return Math.min(TIME_MS_MAX, Math.max(0, Number(timestamp)));
}

/** Records are copied together up to this size: one that is kept for long keeps its neighbours' bytes. */
const COPIED_TOGETHER_MAX = 64 * 1024;

/**
 * The same with bytes of their own. kafkajs's are views on the whole answer of a broker, which would be kept as long as
 * any of its records. Not in Node's pool: other things lie there between them, and would be kept with them.
 */
export function withOwnBytes(records: readonly FetchedRecord[]): FetchedRecord[] {
  const own: FetchedRecord[] = [];
  for (let first = 0; first < records.length;) {
    let bytes = 0;
    let end = first;
    for (; end < records.length; end++) {
      const more = bytesOf(records[end]);
      if (end > first && bytes + more > COPIED_TOGETHER_MAX) break;
      bytes += more;
    }
    const buffer = Buffer.allocUnsafeSlow(bytes);
    let at = 0;
    const copied = (given: Uint8Array): Uint8Array => {
      buffer.set(given, at);
      return buffer.subarray(at, (at += given.length));
    };
    for (const record of records.slice(first, end)) {
      const headers: Record<string, Uint8Array> = {};
      for (const name in record.headers) headers[name] = copied(record.headers[name] ?? EMPTY);
      own.push({ ...record, headers, value: copied(record.value) });
    }
    first = end;
  }
  return own;
}

function bytesOf(record: FetchedRecord | undefined): number {
  if (!record) return 0;
  let bytes = record.value.length;
  for (const name in record.headers) bytes += record.headers[name]?.length ?? 0;
  return bytes;
}

export function fetchedRecord(partition: number, message: KafkaMessage): FetchedRecord {
  const headers: Record<string, Uint8Array> = {};
  for (const name in message.headers) {
    // An object's own way to say what else it has; a header of ours never has this name.
    if (name === '__proto__') continue;
    // A header that was given more than once counts as it was given last.
    const given = message.headers[name];
    const value = Array.isArray(given) ? given.at(-1) : given;
    if (value !== undefined) headers[name] = typeof value === 'string' ? Buffer.from(value) : (value ?? EMPTY);
  }
  return {
    partition,
    offset: Number(message.offset),
    timestampMs: timeMsOf(message.timestamp),
    headers,
    value: message.value ?? EMPTY,
  };
}

/** What readers see of the messages, with bytes of their own. */
export function ownRecords(
  partition: number,
  messages: readonly KafkaMessage[],
  recordOf: (partition: number, message: KafkaMessage) => FetchedRecord = fetchedRecord,
): FetchedRecord[] {
  return withOwnBytes(messages.filter((message) => !isEndMark(message)).map((message) => recordOf(partition, message)));
}

/** A message of others, with all that it has: see foreign-headers.ts. */
export function foreignRecord(partition: number, message: KafkaMessage): FetchedRecord {
  const { offset, timestamp, key, value } = message;
  const headers = new ForeignHeaders();
  if (key !== null && key !== undefined) headers.key(key);
  if (isBlanked(message)) headers.unreadable();
  else if (value === null) headers.noValue();
  for (const [name, given] of Object.entries(message.headers ?? {})) {
    for (const one of Array.isArray(given) ? given : [given])
      headers.header(name, typeof one === 'string' ? Buffer.from(one) : (one ?? EMPTY));
  }
  return {
    partition,
    offset: Number(offset),
    timestampMs: timeMsOf(timestamp),
    headers: headers.encoded,
    value: value ?? EMPTY,
  };
}

/**
 * Of which leader's epoch the messages are: what was fetched at once may be of several. An epoch may have begun with
 * what no reader sees, so each counts from behind the message before. Too high does no harm: a log that diverges is
 * found by the end of the epoch before.
 */
export function epochStarts(messages: readonly KafkaMessage[]): EpochStart[] {
  const runs: EpochStart[] = [];
  let from: number | null = null;
  for (const message of messages) {
    const epoch = epochOf(message);
    const offset = Number(message.offset);
    if (epoch !== null && runs.at(-1)?.epoch !== epoch) runs.push({ from: from ?? offset, epoch });
    from = offset + 1;
  }
  return runs;
}

/**
 * A broker takes note of the high watermark before it reads, and it may move meanwhile: by what is appended in a
 * moment, never by so much.
 */
const MOVED_MAX = 100_000;

/**
 * Why the offsets of what was fetched cannot be a broker's: they do not rise, or lie far beyond the end of the log. A
 * reader that believed one of them would go on behind it, and leave out what lies between. Null where they are well.
 */
export function outOfPlace(batch: {
  readonly partition: number;
  readonly highWatermark: string;
  readonly messages: readonly Pick<KafkaMessage, 'offset'>[];
}): string | null {
  const end = Number(batch.highWatermark) + MOVED_MAX;
  let before = -1;
  for (const message of batch.messages) {
    const { offset } = message;
    const at = Number(offset);
    // A mark may lie where a record of a transaction was seen.
    const isBehind = at > before || (at === before && isEndMark(message));
    if (!(isBehind && at < end)) {
      const log = `a log that ends at ${batch.highWatermark}`;
      return `Kafka told offset ${offset} of partition ${batch.partition} behind ${before}, in ${log}`;
    }
    before = at;
  }
  return null;
}
