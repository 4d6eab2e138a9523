// The headers of a record as both queues keep them: names to bytes, as published in docs/record-format.md.
// Writing goes from our own records to headers; reading hands on whatever headers there are, also unknown ones.

import { type QueueRecord, versionOfTable } from '#shared/record/record.ts';
import type { DeadLetter } from './queue.ts';

export type Headers = Readonly<Record<string, Uint8Array>>;

/** A record or a dead letter in the form that a queue keeps. */
export interface Headed {
  readonly headers: Headers;
  readonly value: Uint8Array;
}

const VERSIONS = { 1: Buffer.from('1'), 2: Buffer.from('2') } as const;
const ENCODINGS = { identity: Buffer.from('identity'), gzip: Buffer.from('gzip'), zstd: Buffer.from('zstd') } as const;
const YES = Buffer.from('1');

// Kafka's framing of one message with the three headers of a record: at most 6 numbers of up to 10 bytes, the names
// of the headers with their lengths, and the attributes. Rounded up; the embedded queue needs less.
const RECORD_FRAMING_BYTES = 128;

/** The most bytes that a record takes in a queue, framing included; what `appendBytesMax` limits is their sum. */
export function recordBytes(record: QueueRecord): number {
  return record.value.length + record.batches.length + RECORD_FRAMING_BYTES;
}

export function headedRecord(record: QueueRecord): Headed {
  return {
    headers: {
      v: VERSIONS[versionOfTable(record.batches)],
      encoding: ENCODINGS[record.encoding],
      batches: record.batches,
    },
    value: record.value,
  };
}

export function headedDeadLetter(deadLetter: DeadLetter): Headed {
  const headers: Record<string, Uint8Array> = {
    v: VERSIONS[versionOfTable(deadLetter.batches)],
    batches: deadLetter.batches,
    reason: Buffer.from(deadLetter.reason),
    error: Buffer.from(deadLetter.error),
    from: Buffer.from(deadLetter.from),
  };
  if (deadLetter.index !== undefined) headers['index'] = Buffer.from(String(deadLetter.index));
  // A fragment is no whole value either, also for those who know nothing of fragments.
  if (deadLetter.cut || deadLetter.fragment !== undefined) headers['cut'] = YES;
  if (deadLetter.encoding !== undefined) headers['encoding'] = deadLetter.encoding;
  if (deadLetter.recordVersion !== undefined) headers['record_v'] = deadLetter.recordVersion;
  if (deadLetter.fragment !== undefined) {
    const { id, at, bytes, tableBytes } = deadLetter.fragment;
    headers['parts_id'] = id;
    headers['parts_bytes'] = Buffer.from(String(bytes));
    headers['part_at'] = Buffer.from(String(at));
    if (deadLetter.cut) headers['parts_cut'] = YES;
    if (tableBytes > 0) headers['table_bytes'] = Buffer.from(String(tableBytes));
  }
  return { headers, value: deadLetter.value };
}
