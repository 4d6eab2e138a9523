// A dead letter as it is read back, and the marks that say which dead letters are done. Pure; total for whatever lies
// in the topic.
//
//   dead letter   headers   v, batches, reason, error, from, index?, cut?, encoding?, record_v?
//                 value     an entry, or raw bytes
//   fragment      headers   the same and parts_id, parts_bytes, part_at, parts_cut?, table_bytes?
//                 value     some of its bytes
//   mark          headers   v, reason "replayed", from "replay"
//                 value     msgpack [[partition, offset], …] of dead letters that are done
//
// Marks lie in the topic of the dead letters, after those that they name: a replay keeps no state elsewhere, and one
// that took some reasons only leaves no hole, as an offset would. The format is published in docs/record-format.md.

import { entryEnd } from '#shared/msgpack/extents.ts';
import { MsgpackReader } from '#shared/msgpack/reader.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { INDEX_END } from '#shared/record/identity.ts';
import { type Batch, type Encoding, decodeBatches, encodeBatches } from '#shared/record/record.ts';
import { headedRecord } from './headers.ts';
import type { DeadLetter, DeadLetterFragment, FetchedRecord } from './queue.ts';

/** Where a dead letter lies among the dead letters. */
export interface DeadLetterPosition {
  readonly partition: number;
  readonly offset: number;
}

export interface ReadDeadLetter extends DeadLetterPosition {
  readonly kind: 'dead-letter';
  /** When the queue took the dead letter, ms since the epoch. */
  readonly timeMs: number;
  /** Of the event, or of a whole record; empty where the table cannot be read. */
  readonly batches: readonly Batch[];
  /** Of the event in its batch; null where the dead letter is of a whole chunk or record. */
  readonly index: number | null;
  readonly reason: string;
  readonly error: string;
  readonly from: string;
  readonly value: Uint8Array;
  /** `value` is only the beginning, because the rest was never in memory. */
  readonly cut: boolean;
  /** Bytes of fragments that are not there: `value` is only the beginning. */
  readonly missingBytes: number;
  /** Of the value of a whole record; '' where nothing is said of it. */
  readonly encoding: string;
  readonly recordVersion: string;
}

/** One of the fragments of a dead letter that is larger than a record; its `value` is the fragment's. */
export interface ReadFragment extends Omit<ReadDeadLetter, 'kind'> {
  readonly kind: 'fragment';
  readonly fragment: DeadLetterFragment;
}

export interface ReplayMark {
  readonly kind: 'mark';
  readonly done: readonly DeadLetterPosition[];
}

const MARK_REASON = 'replayed';
export const MARK_FROM = 'replay';
const NOTHING = new Uint8Array(0);
const FRAGMENT_ID_BYTES = 16;
const writer = new MsgpackWriter();

/** `partition/offset`: how people name a dead letter. */
export function deadLetterName({ partition, offset }: DeadLetterPosition): string {
  return `${partition}/${offset}`;
}

export function readDeadLetter(record: FetchedRecord): ReadDeadLetter | ReadFragment | ReplayMark {
  const { partition, offset, timestampMs, headers, value } = record;
  const text = (name: string): string => Buffer.from(headers[name] ?? NOTHING).toString('utf8');
  const reason = text('reason');
  const from = text('from');
  if (reason === MARK_REASON && from === MARK_FROM) return { kind: 'mark', done: decodePositions(value) };
  const index = headers['index'] === undefined ? Number.NaN : Number(text('index'));
  const read = {
    partition,
    offset,
    timeMs: timestampMs,
    batches: batchesOf(headers['batches'] ?? NOTHING),
    // No entry has an index past those of a name; who says so wrote something else.
    index: Number.isSafeInteger(index) && index >= 0 && index < INDEX_END ? index : null,
    reason,
    error: text('error'),
    from,
    value,
    cut: text('cut') === '1',
    missingBytes: 0,
    encoding: text('encoding'),
    recordVersion: text('record_v'),
  };
  const fragment = fragmentOf(headers, value.length);
  return fragment === null
    ? { kind: 'dead-letter', ...read }
    : { kind: 'fragment', ...read, cut: text('parts_cut') === '1', fragment };
}

/**
 * What the fragments of a dead letter make together. `value`: their bytes; `first`: the one of them that came first.
 */
export function deadLetterOfFragments({ fragment, ...first }: ReadFragment, value: Uint8Array): ReadDeadLetter {
  const { tableBytes } = fragment;
  const missingBytes = fragment.bytes - value.length;
  const batches = tableBytes > 0 ? batchesOf(value.subarray(0, tableBytes)) : first.batches;
  return { ...first, kind: 'dead-letter', batches, value: value.subarray(tableBytes), missingBytes };
}

/** Null for what is no fragment, or says of itself what cannot be. */
function fragmentOf(headers: FetchedRecord['headers'], length: number): DeadLetterFragment | null {
  const id = headers['parts_id'];
  if (id === undefined || id.length !== FRAGMENT_ID_BYTES) return null;
  const number = (name: string): number =>
    Number(Buffer.from(headers[name] ?? NOTHING).toString('latin1') || Number.NaN);
  const at = number('part_at');
  const bytes = number('parts_bytes');
  const tableBytes = headers['table_bytes'] === undefined ? 0 : number('table_bytes');
  const areSafe = [at, bytes, tableBytes].every((value) => Number.isSafeInteger(value) && value >= 0);
  return areSafe && at + length <= bytes && tableBytes <= bytes ? { id, at, bytes, tableBytes } : null;
}

function batchesOf(table: Uint8Array): readonly Batch[] {
  return decodeBatches(table) ?? [];
}

/** Says of dead letters that they are done, as something to append to them. */
export function replayMark(done: readonly DeadLetterPosition[]): DeadLetter {
  writer.reset();
  writer.arrayHeader(done.length);
  for (const { partition, offset } of done) {
    writer.arrayHeader(2);
    writer.integer(partition);
    writer.integer(offset);
  }
  return { batches: NOTHING, reason: MARK_REASON, error: '', from: MARK_FROM, value: writer.take(), cut: false };
}

/**
 * A record of the queue that holds what the dead letter is of, under the same names; a sentence where there is none.
 */
export function recordOfDeadLetter(deadLetter: ReadDeadLetter): Pick<FetchedRecord, 'headers' | 'value'> | string {
  const { index, batches, value, cut, missingBytes, encoding, recordVersion } = deadLetter;
  if (cut) return 'its bytes were cut';
  if (missingBytes > 0) return 'some of its parts are missing';
  const [batch] = batches;
  if (index !== null) {
    if (batch === undefined) return 'its batch cannot be read';
    if (entryEnd(value, 0, value.length) !== value.length) return 'its bytes are no entry';
    return recordOf('identity', encodeBatches([{ ...batch, first: index, count: 1 }]), value);
  }
  if (encoding === '') return 'it is of a whole chunk that could not be read';
  if (recordVersion !== '1' && recordVersion !== '2')
    return `it is of a record of version ${JSON.stringify(recordVersion)}`;
  if (!isEncoding(encoding)) return `it is of a record of encoding ${JSON.stringify(encoding)}`;
  if (String(batches[0]?.version) !== recordVersion) return 'it is of a record whose table cannot be read';
  return recordOf(encoding, encodeBatches(batches), value);
}

function recordOf(
  encoding: Encoding,
  batches: Uint8Array,
  value: Uint8Array,
): Pick<FetchedRecord, 'headers' | 'value'> {
  return headedRecord({ encoding, batches, value });
}

function isEncoding(text: string): text is Encoding {
  return text === 'identity' || text === 'gzip' || text === 'zstd';
}

/** As many as can be read. */
function decodePositions(bytes: Uint8Array): DeadLetterPosition[] {
  const reader = new MsgpackReader(bytes);
  const count = reader.arrayHeader() ?? 0;
  const positions: DeadLetterPosition[] = [];
  for (let i = 0; i < count; i++) {
    const pair = reader.arrayHeader();
    const partition = reader.safeInteger();
    const offset = reader.safeInteger();
    if (pair !== 2 || partition === undefined || offset === undefined) break;
    positions.push({ partition, offset });
  }
  return positions;
}
