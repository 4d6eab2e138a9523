// Closes a record: concatenates its segments, compresses them as one, and adds the table that says whose they are.
// Compression runs in the thread pool, so that the next record fills meanwhile.
//
// Guarantees: makes no record that an indexer would not open. The size of a chunk that passes as its sender compressed
// it was checked by intake.

import { compress } from '#shared/record/compression.ts';
import { type QueueRecord, encodeBatches } from '#shared/record/record.ts';
import { RECORD_VALUE_BYTES_MAX } from '#shared/record/value-limit.ts';
import type { RecordSegment } from './record-segment.ts';

/** Below this, the compressor's header and the trip to the thread pool cost more than they save. */
const COMPRESS_BYTES_MIN = 512;

export interface SealedRecord {
  readonly segments: readonly RecordSegment[];
  /** Set when it is ready to go. */
  record: QueueRecord | null;
  /** An append with it was refused: it goes alone, which shows whether it was the reason. */
  goesAlone: boolean;
  /** It was refused alone, because the queue takes less than it says; or no indexer would open it. */
  isRefused: boolean;
  /** Resolves when `record` is set, to null where no indexer would open it; rejects if it can't be made. */
  readonly ready: Promise<QueueRecord | null>;
}

/** All segments are uncompressed, or there is one, which passes as its sender compressed it. */
export function sealRecord(segments: readonly RecordSegment[], goesAlone = false): SealedRecord {
  const isRefused = valueBytes(segments) > RECORD_VALUE_BYTES_MAX;
  const ready = isRefused ? Promise.resolve(null) : makeRecord(segments);
  const sealed: SealedRecord = { segments, record: null, goesAlone, isRefused, ready };
  sealed.ready.then(
    (record) => (sealed.record = record),
    () => {
      // The lane awaits `ready` and gets the error there.
    },
  );
  return sealed;
}

/** Uncompressed. */
function valueBytes(segments: readonly RecordSegment[]): number {
  return segments.reduce((sum, { encoding, bytes }) => sum + (encoding === 'identity' ? bytes.length : 0), 0);
}

async function makeRecord(segments: readonly RecordSegment[]): Promise<QueueRecord> {
  const batches = encodeBatches(segments.map((segment) => segment.batch));
  const [first] = segments;
  if (first && first.encoding !== 'identity') return { encoding: first.encoding, batches, value: first.bytes };
  const only = segments.length === 1 ? first : undefined;
  const plain = only?.bytes ?? Buffer.concat(segments.map((segment) => segment.bytes));
  const small = plain.length < COMPRESS_BYTES_MIN ? plain : await compress(plain);
  if (small.length < plain.length) {
    // This copy is no longer needed; under load, many of them would wait for the garbage collector.
    if (!only && isOwn(plain)) plain.buffer.transfer(0);
    return { encoding: 'zstd', batches, value: small };
  }
  // Lent bytes are copied, since a queue may keep the record longer than the segment lives.
  return { encoding: 'identity', batches, value: only?.isLent ? Buffer.from(plain) : plain };
}

function isOwn(bytes: Uint8Array): bytes is Uint8Array<ArrayBuffer> {
  return bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer;
}
