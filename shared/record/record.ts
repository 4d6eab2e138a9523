// The queue record, version 1: the one format in the queue, as published in docs/record-format.md.
//
//   value     a run of msgpack entries [time, record], one batch after another, compressed as one
//   headers   v         "1"
//             encoding  "identity" | "gzip" | "zstd"
//             batches   msgpack array, one element a batch, in the order of the value:
//                       [id (bin 16), first, count, tag, input, tenant | nil, received (ms), seq, sender]
//
// Entry k of a batch has the index first + k; `_id` of its document is hex(id) + "-" + index.

import assert from 'node:assert/strict';
import { MsgpackReader } from '#shared/msgpack/reader.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { IDENTITY_BYTES } from './identity.ts';

export type Encoding = 'identity' | 'gzip' | 'zstd';

export const RECORD_VERSION = '1';
/** A tag is UTF-8 of at least one byte and at most these. */
export const TAG_BYTES_MAX = 1024;

const BATCH_FIELDS = 9;
/** An element's header, its id of 18 bytes, and 8 fields of a byte at least. */
const BATCH_BYTES_MIN = 27;
const writer = new MsgpackWriter();

/** What is known of a run of entries that came in together. */
export interface Batch {
  /** 16 bytes; see identity.ts. */
  readonly id: Uint8Array;
  /** Index of the first entry here, above 0 where a large chunk was split over several records. */
  readonly first: number;
  readonly count: number;
  /** Valid UTF-8, at most 1 KiB. */
  readonly tag: string;
  readonly input: string;
  readonly tenant: string | null;
  /** Milliseconds since the epoch at which the edge accepted the batch. */
  readonly receivedMs: number;
  /** Order of arrival at the edge: max(microseconds since the epoch, last seq + last count). Belongs to entry `first` = 0. */
  readonly seq: number;
  /** Hostname of an authenticated sender, else the peer's address. */
  readonly sender: string;
}

/** A record as it is appended to a queue. */
export interface QueueRecord {
  readonly encoding: Encoding;
  /** The encoded `batches` header. */
  readonly batches: Uint8Array;
  readonly value: Uint8Array;
}

/** The `batches` header. Batches are ours: what breaks a rule of the format is a mistake in Sluice. */
export function encodeBatches(batches: readonly Batch[]): Buffer {
  writer.reset();
  writer.arrayHeader(batches.length);
  for (const batch of batches) encodeBatch(batch);
  return writer.take();
}

/** Null where the bytes are not such a table. Never throws. */
export function decodeBatches(bytes: Uint8Array): Batch[] | null {
  const reader = new MsgpackReader(bytes);
  const count = reader.arrayHeader();
  if (count === undefined || count > bytes.length / BATCH_BYTES_MIN) return null;
  const batches: Batch[] = [];
  for (let i = 0; i < count; i += 1) {
    const batch = decodeBatch(reader);
    if (batch === null) return null;
    batches.push(batch);
  }
  return reader.done ? batches : null;
}

function encodeBatch(batch: Batch): void {
  assert(batch.id.length === IDENTITY_BYTES && batch.count > 0);
  writer.arrayHeader(BATCH_FIELDS);
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
}

function decodeBatch(reader: MsgpackReader): Batch | null {
  if (reader.arrayHeader() !== BATCH_FIELDS) return null;
  const id = reader.binary();
  const first = reader.safeInteger();
  const count = reader.safeInteger();
  const tag = reader.string();
  const input = reader.string();
  const tenant = reader.nil() ? null : reader.string();
  const receivedMs = reader.safeInteger();
  const seq = reader.safeInteger();
  const sender = reader.string();
  if (id === undefined || first === undefined || count === undefined || receivedMs === undefined) return null;
  if (tag === undefined || input === undefined || tenant === undefined || sender === undefined) return null;
  if (seq === undefined || seq < 0 || receivedMs < 0) return null;
  if (id.length !== IDENTITY_BYTES || first < 0 || count < 1) return null;
  if (tag.length > TAG_BYTES_MAX || Buffer.byteLength(tag) > TAG_BYTES_MAX) return null;
  return { id, first, count, tag, input, tenant, receivedMs, seq, sender };
}
