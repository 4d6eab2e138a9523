// The queue record, versions 1 and 2: the one format in the queue, as published in docs/record-format.md. Version 2 is
// written.
//
//   value     a run of msgpack entries [time, record], one batch after another, compressed as one
//   headers   v         "1" | "2"
//             encoding  "identity" | "gzip" | "zstd"
//             batches   msgpack array, one element a batch, in the order of the value:
//                       version 1   [id (bin 16), first, count, tag, input, tenant | nil, received (ms), seq, sender]
//                       version 2   [ … the same nine … , chain (bin 16) | nil]
//
// Entry k of a batch has the index first + k; its document's `_id` goes by the version (identity.ts). The rows of a
// table tell its version by their length, so that a table keeps its version wherever it goes: spool, dead letter,
// replay.

import assert from 'node:assert/strict';
import { MsgpackReader } from '#shared/msgpack/reader.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { CHAIN_BYTES } from './chain.ts';
import { IDENTITY_BYTES, INDEX_END, type PositionNames } from './identity.ts';

export type Encoding = 'identity' | 'gzip' | 'zstd';

export type RecordVersion = 1 | 2;
/** The version that is written, and the highest that is known. */
export const RECORD_VERSION = 2;
/** A tag is UTF-8 of at least one byte and at most these. */
export const TAG_BYTES_MAX = 1024;
/**
 * Of an input, tenant or sender; more than the edge gives, whose longest is a hostname of 1 KiB with a word before it.
 */
const NAME_BYTES_MAX = 2048;
/** The end of the year 9999: what times can be written, and what stores take. */
export const RECEIVED_MS_MAX = 253_402_300_799_999;

const BATCH_FIELDS = { 1: 9, 2: 10 } as const;
/** An element's header, its id of 18 bytes, and 8 fields of a byte at least. */
const BATCH_BYTES_MIN = 27;
const writer = new MsgpackWriter();

/** What is known of a run of entries that came in together. */
export interface Batch {
  /** Of the record that it lies in; tells how its events' names are made. */
  readonly version: RecordVersion;
  /** 16 bytes; see identity.ts. */
  readonly id: Uint8Array;
  /** Index of the first entry here, above 0 where a large chunk was split over several records. */
  readonly first: number;
  readonly count: number;
  /** Valid UTF-8, at most 1 KiB. */
  readonly tag: string;
  /** This, the tenant and the sender have at most NAME_BYTES_MAX. */
  readonly input: string;
  readonly tenant: string | null;
  /** Milliseconds since the epoch at which the edge accepted the batch. */
  readonly receivedMs: number;
  /**
   * Order of arrival at the edge: max(microseconds since the epoch, last seq + last count). Belongs to entry `first` =
   * 0.
   */
  readonly seq: number;
  /** Hostname of an authenticated sender, else the peer's address. */
  readonly sender: string;
  /**
   * 16 bytes where its entries are named by position: the chain at the start of the first one (chain.ts). Null in
   * version 1.
   */
  readonly chain: Uint8Array | null;
  /** Where `chain` is set and the entries were read: their names. Never in the table. */
  readonly names?: PositionNames;
}

/** A record as it is appended to a queue. */
export interface QueueRecord {
  readonly encoding: Encoding;
  /** The encoded `batches` header. */
  readonly batches: Uint8Array;
  readonly value: Uint8Array;
}

/**
 * The `batches` header, in its batches' one version. Batches are ours: what breaks a rule of the format is a mistake in
 * Sluice.
 */
export function encodeBatches(batches: readonly Batch[]): Buffer {
  writer.reset();
  writer.arrayHeader(batches.length);
  const version = batches[0]?.version ?? RECORD_VERSION;
  for (const batch of batches) {
    assert(batch.version === version, 'the batches of a record have one version');
    encodeBatch(batch);
  }
  return writer.take();
}

/** Null where the bytes are not such a table. All batches have one version. Never throws. */
export function decodeBatches(bytes: Uint8Array): Batch[] | null {
  const reader = new MsgpackReader(bytes);
  const count = reader.arrayHeader();
  if (count === undefined || count > bytes.length / BATCH_BYTES_MIN) return null;
  const batches: Batch[] = [];
  for (let i = 0; i < count; i += 1) {
    const batch = decodeBatch(reader);
    if (batch === null || batch.version !== (batches[0] ?? batch).version) return null;
    batches.push(batch);
  }
  return reader.done ? batches : null;
}

/**
 * The version of the record that has this table: what cannot be read was written by nobody, and has the present one.
 */
export function versionOfTable(bytes: Uint8Array): RecordVersion {
  const reader = new MsgpackReader(bytes);
  reader.arrayHeader();
  return reader.arrayHeader() === BATCH_FIELDS[1] ? 1 : RECORD_VERSION;
}

function encodeBatch(batch: Batch): void {
  assert(batch.id.length === IDENTITY_BYTES && batch.count > 0);
  assert(batch.version === 2 ? batch.first + batch.count <= INDEX_END : batch.chain === null);
  writer.arrayHeader(BATCH_FIELDS[batch.version]);
  writer.binary(batch.id);
  writer.integer(batch.first);
  writer.integer(batch.count);
  writer.string(batch.tag);
  writer.string(batch.input);
  if (batch.tenant === null) writer.nil();
  else writer.string(batch.tenant);
  writer.integer(batch.receivedMs);
  writer.integer(batch.seq);
  writer.string(batch.sender);
  if (batch.version === 1) return;
  assert(batch.chain === null || batch.chain.length === CHAIN_BYTES);
  if (batch.chain === null) writer.nil();
  else writer.binary(batch.chain);
}

function decodeBatch(reader: MsgpackReader): Batch | null {
  const fields = reader.arrayHeader();
  if (fields !== BATCH_FIELDS[1] && fields !== BATCH_FIELDS[2]) return null;
  const version = fields === BATCH_FIELDS[1] ? 1 : 2;
  const id = reader.binary();
  const first = reader.safeInteger();
  const count = reader.safeInteger();
  const tag = reader.string();
  const input = reader.string();
  const tenant = reader.nil() ? null : reader.string();
  const receivedMs = reader.safeInteger();
  const seq = reader.safeInteger();
  const sender = reader.string();
  const chain = version === 1 || reader.nil() ? null : reader.binary();
  if (id === undefined || first === undefined || count === undefined || receivedMs === undefined) return null;
  if (tag === undefined || input === undefined || tenant === undefined || sender === undefined) return null;
  if (seq === undefined || seq < 0 || receivedMs < 0 || chain === undefined) return null;
  if (id.length !== IDENTITY_BYTES || first < 0 || count < 1) return null;
  if (chain !== null && chain.length !== CHAIN_BYTES) return null;
  if (count > INDEX_END || receivedMs > RECEIVED_MS_MAX) return null;
  if (version === 2 && first + count > INDEX_END) return null;
  if (isOver(tag, TAG_BYTES_MAX) || isOver(input, NAME_BYTES_MAX) || isOver(sender, NAME_BYTES_MAX)) return null;
  if (tenant !== null && isOver(tenant, NAME_BYTES_MAX)) return null;
  return { version, id, first, count, tag, input, tenant, receivedMs, seq, sender, chain };
}

function isOver(text: string, bytesMax: number): boolean {
  // A character has three bytes at most.
  return text.length * 3 > bytesMax && (text.length > bytesMax || Buffer.byteLength(text) > bytesMax);
}
