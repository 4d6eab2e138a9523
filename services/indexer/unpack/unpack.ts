// From a fetched record to its batches and to where each entry ends. Decompresses in the thread pool, so that the next
// record is opened while this one is turned into documents. Everything that a record claims is checked here, before its
// first event is used: its version, its encoding, its table, and that the counts of the table are those of the value.
// Names by position are derived here. Messages of others are given the same form (sources/foreign-message.ts).
//
//   value   | entry | entry | entry | entry | entry | …        ends[k] = position after entry k
//           |<----- batch 0 ------->|<-- batch 1 ->| …         counts add up to the entries
//
// Guarantees: never rejects for what is in a record, and allocates no more than `bytesMax` for its value.

import { setImmediate as turn } from 'node:timers/promises';
import { SluiceError, reasonOf } from '#shared/errors.ts';
import { INCOMPLETE, entryEnd } from '#shared/msgpack/extents.ts';
import { WINDOW_BYTES, longValueEnd } from '#shared/msgpack/long-value.ts';
import type { FetchedRecord, RecordSource } from '#shared/queue/queue.ts';
import { NAMES_PER_STEP, PositionNamer } from '#shared/record/chain.ts';
import { ANY_WINDOW, decompress as decompressAny } from '#shared/record/compression.ts';
import { type Batch, type Encoding, RECORD_VERSION, decodeBatches } from '#shared/record/record.ts';
import { DOCUMENT_LIMITS } from '../json/value-limits.ts';
import { openMessage } from '../sources/foreign-message.ts';

export interface Unpacked {
  readonly kind: 'unpacked';
  /** Those by position have their names. */
  readonly batches: readonly Batch[];
  /** The value, uncompressed. */
  readonly bytes: Uint8Array;
  readonly ends: Uint32Array;
  /** Numbers of entries with more values than a document may have: to look into one would delay all other work. */
  readonly crowded: ReadonlySet<number>;
}

export interface Unreadable {
  readonly kind: 'unreadable';
  /**
   * `record_version_unknown`: a later program wrote it, and can read it. `record_poisonous`: it ends whoever opens it.
   */
  readonly reason: 'record_version_unknown' | 'record_malformed' | 'record_poisonous';
  readonly error: string;
  /**
   * Events that its table speaks of; 1 where the table cannot be read, for then the record is all that can be counted.
   */
  readonly events: number;
}

export type Decompress = (bytes: Uint8Array, encoding: Encoding, bytesMax: number) => Promise<Uint8Array>;

export interface UnpackOptions {
  /** Most bytes of an uncompressed value. */
  readonly bytesMax: number;
  /** A simulation gives its own, for the pool's threads have an order of theirs. */
  readonly decompress?: Decompress;
}

const decompressInPool: Decompress = (bytes, encoding, bytesMax) =>
  decompressAny(bytes, encoding, bytesMax, ANY_WINDOW);
const NONE: ReadonlySet<number> = new Set();
const latin1 = new TextDecoder('latin1');
/** As an integer is written; longer ones are nobody's version. */
const VERSION_TEXT = /^[1-9][0-9]{0,14}$/;
/**
 * Bytes of entries that are hashed for their names, or passed over, before other work of the process gets its turn:
 * some 2 ms.
 */
const TURN_BYTES = 512 * 1024;
/**
 * Keys and values that an entry may say it has. One with more has more values than a document may, whatever they are.
 */
const ANNOUNCED_MAX = 2 * DOCUMENT_LIMITS.valuesMax + 1024;

export async function unpack(record: FetchedRecord, options: UnpackOptions): Promise<Unpacked | Unreadable> {
  if (record.source) return unpackMessage(record, record.source);
  const { v, encoding: encodingBytes, batches: table } = record.headers;
  const batches = table ? decodeBatches(table) : null;
  const unreadable = (reason: Unreadable['reason'], error: string): Unreadable => ({
    kind: 'unreadable',
    reason,
    error,
    events: batches ? Math.max(1, eventsOf(batches)) : 1,
  });

  const version = v ? latin1.decode(v.subarray(0, 20)) : '';
  if (!VERSION_TEXT.test(version)) {
    return unreadable('record_malformed', `Cannot read the record: ${JSON.stringify(version)} is no version`);
  }
  if (Number(version) > RECORD_VERSION) {
    const known = `this program knows up to ${RECORD_VERSION}; upgrade it`;
    const error = `Cannot read version ${version} of the record format: ${known}`;
    return unreadable('record_version_unknown', error);
  }
  if (!batches || batches.some((batch) => batch.version !== Number(version)))
    return unreadable('record_malformed', 'Cannot read the table of batches');
  const encoding = encodingOf(encodingBytes);
  if (!encoding) return unreadable('record_malformed', 'Cannot read the encoding: it is none of identity, gzip, zstd');

  let bytes: Uint8Array = record.value;
  if (encoding !== 'identity') {
    try {
      bytes = await (options.decompress ?? decompressInPool)(record.value, encoding, options.bytesMax);
    } catch (error) {
      return unreadable('record_malformed', error instanceof SluiceError ? error.message : reasonOf(error));
    }
  }
  const entries = await entryEnds(bytes, eventsOf(batches));
  if (!entries)
    return unreadable('record_malformed', 'Cannot read the entries: they are not as many as the table says');
  return { kind: 'unpacked', batches: await withNames(batches, bytes, entries.ends), bytes, ...entries };
}

/** Of others: whatever it is, it is an event at least. */
async function unpackMessage(record: FetchedRecord, source: RecordSource): Promise<Unpacked | Unreadable> {
  const opened = await openMessage(record, source);
  if (opened) return { kind: 'unpacked', ...opened, crowded: NONE };
  const error = 'Cannot read a batch of messages: it is broken, too large, or in a codec that is not known';
  return { kind: 'unreadable', reason: 'record_malformed', error, events: 1 };
}

/** The batches, with the names of those by position. */
async function withNames(batches: Batch[], bytes: Uint8Array, ends: Uint32Array): Promise<Batch[]> {
  if (batches.every(({ chain }) => chain === null)) return batches;
  const named: Batch[] = [];
  let entry = 0;
  let start = 0;
  let turnAt = TURN_BYTES;
  for (const batch of batches) {
    const { chain, count } = batch;
    const namer = chain === null ? null : new PositionNamer(chain, count);
    for (const afterLast = entry + count; entry < afterLast; entry++) {
      const end = ends[entry] ?? 0;
      namer?.add(bytes, start, end);
      start = end;
      if (end < turnAt && (namer === null || entry % NAMES_PER_STEP > 0)) continue;
      turnAt = end + TURN_BYTES;
      await turn();
    }
    named.push(namer === null ? batch : { ...batch, names: namer.names });
  }
  return named;
}

/**
 * Where each of `count` entries ends; null where the bytes are not just these entries. Of a long one only the end is
 * looked for: that it is an entry is seen when it is written.
 */
async function entryEnds(bytes: Uint8Array, count: number): Promise<Pick<Unpacked, 'ends' | 'crowded'> | null> {
  // An entry has three bytes at least: a table cannot make us allocate more than the value is worth.
  if (count > bytes.length / 3) return null;
  const ends = new Uint32Array(count);
  const crowded = new Set<number>();
  let at = 0;
  let turnAt = TURN_BYTES;
  for (let entry = 0; entry < count; entry++) {
    const windowEnd = Math.min(bytes.length, at + WINDOW_BYTES);
    const end = entryEnd(bytes, at, windowEnd);
    if (end === INCOMPLETE && windowEnd < bytes.length) {
      const steps = longValueEnd(bytes, at);
      let step = steps.next();
      for (; step.done !== true; step = steps.next()) await turn();
      at = step.value.end;
      if (step.value.announced > ANNOUNCED_MAX) crowded.add(entry);
    } else at = end;
    if (at < 0) return null;
    ends[entry] = at;
    if (at < turnAt) continue;
    turnAt = at + TURN_BYTES;
    await turn();
  }
  return at === bytes.length ? { ends, crowded } : null;
}

function eventsOf(batches: readonly Batch[]): number {
  let events = 0;
  for (const batch of batches) events += batch.count;
  return events;
}

function encodingOf(bytes: Uint8Array | undefined): Encoding | null {
  const text = bytes ? latin1.decode(bytes) : '';
  return text === 'identity' || text === 'gzip' || text === 'zstd' ? text : null;
}
