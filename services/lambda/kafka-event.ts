// What AWS Lambda gives to a function whose event source is Kafka (MSK or self-managed), and what it may answer; types
// of our own.
//
//   event    {"records": {"topic-0": [{topic, partition, offset, timestamp, key, value (base64), headers: [{name: [bytes]}]}]}}
//   answer   {"batchItemFailures": [{"itemIdentifier": {"partition": "topic-0", "offset": 100}}]}
//
// With ReportBatchItemFailures the answer is a watermark for each partition: from that offset on, records come again.
// An empty list is success. https://docs.aws.amazon.com/lambda/latest/dg/with-kafka.html

import { SluiceError } from '#shared/errors.ts';
import { ForeignHeaders } from '#shared/queue/foreign-headers.ts';
import type { FetchedRecord, RecordSource } from '#shared/queue/queue.ts';

export interface KafkaEvent {
  readonly records: Readonly<Record<string, readonly KafkaEventRecord[]>>;
}

export interface KafkaEventRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  readonly key?: string | null;
  /** Base64; absent or null for a record without a value. */
  readonly value?: string | null;
  readonly headers?: readonly Readonly<Record<string, readonly number[]>>[];
}

/** Which records are of others, and the numbers of their partitions here. */
export interface EventSources {
  numberOf(record: Pick<KafkaEventRecord, 'topic' | 'partition'>): number;
  /** Null for what Sluice wrote. */
  sourceOf(record: Pick<KafkaEventRecord, 'topic' | 'partition'>): RecordSource | null;
}

export interface KafkaEventAnswer {
  readonly batchItemFailures: readonly {
    readonly itemIdentifier: { readonly partition: string; readonly offset: number };
  }[];
}

/**
 * The records of an event, those of a partition in order. Throws record_malformed for an event of another source, or
 * out of order.
 */
export function recordsOf(event: KafkaEvent, sources: EventSources): FetchedRecord[] {
  if (typeof event?.records !== 'object' || event.records === null) {
    throw new SluiceError('record_malformed', 'Cannot read the event: it has no "records", so it is not from Kafka');
  }
  for (const [name, records] of Object.entries(event.records)) requireRising(name, records);
  return Object.values(event.records).flatMap((records) => records.map((record) => recordOf(record, sources)));
}

/**
 * The answer that names each partition whose records are not all finished. `end` = offset after the last record of the
 * event.
 */
export function answerOf(
  event: KafkaEvent,
  watermarks: ReadonlyMap<number, number>,
  sources: EventSources,
): KafkaEventAnswer {
  const batchItemFailures: KafkaEventAnswer['batchItemFailures'][number][] = [];
  for (const [name, records] of Object.entries(event.records)) {
    const last = records.at(-1);
    const watermark = last && watermarks.get(sources.numberOf(last));
    if (last === undefined || watermark === undefined || watermark > last.offset) continue;
    batchItemFailures.push({ itemIdentifier: { partition: name, offset: watermark } });
  }
  return { batchItemFailures };
}

/**
 * Brokers take any offset that a foreign producer writes into a batch. Behind one that is too high others would count
 * as finished.
 */
function requireRising(name: string, records: readonly KafkaEventRecord[]): void {
  let before = -1;
  for (const { offset } of records) {
    if (!(offset > before)) {
      const what = `offset ${offset} of ${name} comes behind ${before}`;
      throw new SluiceError('record_malformed', `Cannot read the event: ${what}, so a batch of it is not Sluice's`);
    }
    before = offset;
  }
}

function recordOf(record: KafkaEventRecord, sources: EventSources): FetchedRecord {
  const { offset, timestamp, value, headers = [] } = record;
  const partition = sources.numberOf(record);
  const source = sources.sourceOf(record);
  if (source !== null) return foreignRecordOf(record, partition, source);
  const named: Record<string, Uint8Array> = {};
  // Bytes come as numbers, from some sources with a sign.
  for (const header of headers)
    for (const [name, bytes] of Object.entries(header)) named[name] = Uint8Array.from(bytes);
  return { partition, offset, timestampMs: timestamp, headers: named, value: Buffer.from(value ?? '', 'base64') };
}

function foreignRecordOf(
  { offset, timestamp, key, value, headers = [] }: KafkaEventRecord,
  partition: number,
  source: RecordSource,
): FetchedRecord {
  const encoded = new ForeignHeaders();
  if (key !== null && key !== undefined) encoded.key(Buffer.from(key, 'base64'));
  if (value === null || value === undefined) encoded.noValue();
  for (const header of headers)
    for (const [name, bytes] of Object.entries(header)) encoded.header(name, Uint8Array.from(bytes));
  const timestampMs = Math.max(0, timestamp);
  return {
    partition,
    offset,
    timestampMs,
    headers: encoded.encoded,
    value: Buffer.from(value ?? '', 'base64'),
    source,
  };
}
