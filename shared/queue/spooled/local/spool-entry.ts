// What a spool keeps of an append, inside the value of a record of its local queue. A record's headers are its own, so
// that identity and sequence of its batches stay as they are, and its events can be counted without reading its value.
//
//   record        kind u8 = 1 | partition u32 | the record's value
//   dead letter   kind u8 = 2 | flags u8 | index u32 | batches bytes u32 | reason bytes u16 | error bytes u32 |
//                 from bytes u16 | batches | reason | error | from | fragment? | value
//   fragment      id 16 bytes | at f64 | bytes f64 | table bytes f64
//
//   partition     of the upstream queue, as it was when the append came
//   flags         1 = the value was cut, 2 = it is of one event, which `index` names, 4 = it is a fragment
//
// Numbers are big-endian.
//
// Guarantees: decode(encode(x)) = x; bytes that are none of these decode to null, never to a throw.

import { decodeBatches, type Encoding, type QueueRecord } from '#shared/record/record.ts';
import type { Headers } from '../../headers.ts';
import type { DeadLetter, DeadLetterFragment } from '../../queue.ts';

export type SpoolEntry =
  | { readonly kind: 'record'; readonly partition: number; readonly record: QueueRecord }
  | { readonly kind: 'dead-letter'; readonly deadLetter: DeadLetter };

const KIND_RECORD = 1;
const KIND_DEAD_LETTER = 2;
const RECORD_HEAD_BYTES = 5;
const DEAD_LETTER_HEAD_BYTES = 18;
const FLAG_CUT = 1;
const FLAG_INDEX = 2;
const FLAG_FRAGMENT = 4;
const FRAGMENT_ID_BYTES = 16;
const FRAGMENT_BYTES = FRAGMENT_ID_BYTES + 3 * 8;
const NO_BATCHES = new Uint8Array();

/** The record as the local queue takes it. `partition` is below 2^32. */
export function encodeSpooledRecord(record: QueueRecord, partition: number): QueueRecord {
  const value = Buffer.allocUnsafe(RECORD_HEAD_BYTES + record.value.length);
  value.writeUInt8(KIND_RECORD, 0);
  value.writeUInt32BE(partition, 1);
  value.set(record.value, RECORD_HEAD_BYTES);
  return { encoding: record.encoding, batches: record.batches, value };
}

/**
 * The dead letter as the local queue takes it. Its batches are not among the headers, for its events were counted
 * before it came.
 */
export function encodeSpooledDeadLetter(deadLetter: DeadLetter): QueueRecord {
  const reason = Buffer.from(deadLetter.reason);
  const error = Buffer.from(deadLetter.error);
  const from = Buffer.from(deadLetter.from);
  const head = Buffer.allocUnsafe(DEAD_LETTER_HEAD_BYTES);
  head.writeUInt8(KIND_DEAD_LETTER, 0);
  const { cut, index, fragment } = deadLetter;
  head.writeUInt8((cut ? FLAG_CUT : 0) | (index === undefined ? 0 : FLAG_INDEX) | (fragment ? FLAG_FRAGMENT : 0), 1);
  head.writeUInt32BE(index ?? 0, 2);
  head.writeUInt32BE(deadLetter.batches.length, 6);
  head.writeUInt16BE(reason.length, 10);
  head.writeUInt32BE(error.length, 12);
  head.writeUInt16BE(from.length, 16);
  const place = fragment ? encodeFragment(fragment) : NO_BATCHES;
  const value = Buffer.concat([head, deadLetter.batches, reason, error, from, place, deadLetter.value]);
  return { encoding: 'identity', batches: NO_BATCHES, value };
}

/** Null where the headers and the value are not what a spool writes. The bytes of the entry are views on `value`. */
export function decodeSpoolEntry(headers: Headers, value: Uint8Array): SpoolEntry | null {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (bytes[0] === KIND_RECORD) return decodeRecord(headers, bytes);
  return bytes[0] === KIND_DEAD_LETTER ? decodeDeadLetter(bytes) : null;
}

/** Events of a record by its table of batches; 0 where it has none, as a dead letter in the spool. */
export function eventsOf(batches: Uint8Array | undefined): number {
  let events = 0;
  if (batches !== undefined) for (const { count } of decodeBatches(batches) ?? []) events += count;
  return events;
}

function decodeRecord(headers: Headers, bytes: Buffer): SpoolEntry | null {
  const { batches } = headers;
  const encoding = encodingOf(headers['encoding']);
  if (batches === undefined || encoding === null || bytes.length < RECORD_HEAD_BYTES) return null;
  const record = { encoding, batches, value: bytes.subarray(RECORD_HEAD_BYTES) };
  return { kind: 'record', partition: bytes.readUInt32BE(1), record };
}

function decodeDeadLetter(bytes: Buffer): SpoolEntry | null {
  if (bytes.length < DEAD_LETTER_HEAD_BYTES) return null;
  const flags = bytes.readUInt8(1);
  const batchesEnd = DEAD_LETTER_HEAD_BYTES + bytes.readUInt32BE(6);
  const reasonEnd = batchesEnd + bytes.readUInt16BE(10);
  const errorEnd = reasonEnd + bytes.readUInt32BE(12);
  const fromEnd = errorEnd + bytes.readUInt16BE(16);
  const valueStart = fromEnd + ((flags & FLAG_FRAGMENT) === 0 ? 0 : FRAGMENT_BYTES);
  if (valueStart > bytes.length) return null;
  const deadLetter: DeadLetter = {
    batches: bytes.subarray(DEAD_LETTER_HEAD_BYTES, batchesEnd),
    reason: bytes.toString('utf8', batchesEnd, reasonEnd),
    error: bytes.toString('utf8', reasonEnd, errorEnd),
    from: bytes.toString('utf8', errorEnd, fromEnd),
    value: bytes.subarray(valueStart),
    cut: (flags & FLAG_CUT) !== 0,
    ...((flags & FLAG_INDEX) !== 0 && { index: bytes.readUInt32BE(2) }),
    ...((flags & FLAG_FRAGMENT) !== 0 && { fragment: decodeFragment(bytes.subarray(fromEnd, valueStart)) }),
  };
  return { kind: 'dead-letter', deadLetter };
}

function encodeFragment({ id, at, bytes, tableBytes }: DeadLetterFragment): Buffer {
  const place = Buffer.alloc(FRAGMENT_BYTES);
  place.set(id);
  for (const [i, number] of [at, bytes, tableBytes].entries()) place.writeDoubleBE(number, FRAGMENT_ID_BYTES + 8 * i);
  return place;
}

function decodeFragment(place: Buffer): DeadLetterFragment {
  const number = (i: number): number => place.readDoubleBE(FRAGMENT_ID_BYTES + 8 * i);
  return { id: place.subarray(0, FRAGMENT_ID_BYTES), at: number(0), bytes: number(1), tableBytes: number(2) };
}

function encodingOf(bytes: Uint8Array | undefined): Encoding | null {
  const text = bytes === undefined ? '' : Buffer.from(bytes).toString('latin1');
  return text === 'identity' || text === 'gzip' || text === 'zstd' ? text : null;
}
