// What a spool keeps of an append, inside the value of a record of its local queue. The headers are the record's own, so that
// identity and sequence of its batches stay as they are, and any reader of the local queue sees whose events it holds.
//
//   record   kind u8 = 1 | partition u32 | events u32 | the record's value
//   letter   kind u8 = 2 | flags u8 | index u32 | reason bytes u16 | error bytes u32 | from bytes u16 | reason | error | from | value
//
//   partition   of the upstream queue, as it was when the append came
//   events      that the batches of the record hold, so that nothing need be decoded to count them
//   flags       1 = the value was cut, 2 = the letter is of one event, which `index` names
//
// Numbers are big-endian. Guarantees: decode(encode(x)) = x; bytes that are none of these decode to null, never to a throw.

import { type Encoding, type QueueRecord } from '#shared/record/record.ts';
import type { Headers } from '../headers.ts';
import type { DeadLetter } from '../queue.ts';

export type SpoolEntry =
  | { readonly kind: 'record'; readonly partition: number; readonly events: number; readonly record: QueueRecord }
  | { readonly kind: 'letter'; readonly letter: DeadLetter };

const KIND_RECORD = 1;
const KIND_LETTER = 2;
/** What a record's value grows by in the spool; its value is also all of an entry that must be read to count its events. */
export const RECORD_HEAD_BYTES = 9;
const LETTER_HEAD_BYTES = 14;
const FLAG_CUT = 1;
const FLAG_INDEX = 2;

/** The record as the local queue takes it. `partition` is below 2^32. */
export function encodeSpooledRecord(record: QueueRecord, partition: number, events: number): QueueRecord {
  const value = Buffer.allocUnsafe(RECORD_HEAD_BYTES + record.value.length);
  value.writeUInt8(KIND_RECORD, 0);
  value.writeUInt32BE(partition, 1);
  value.writeUInt32BE(events, 5);
  value.set(record.value, RECORD_HEAD_BYTES);
  return { encoding: record.encoding, batches: record.batches, value };
}

export function encodeSpooledLetter(letter: DeadLetter): QueueRecord {
  const reason = Buffer.from(letter.reason);
  const error = Buffer.from(letter.error);
  const from = Buffer.from(letter.from);
  const head = Buffer.allocUnsafe(LETTER_HEAD_BYTES);
  head.writeUInt8(KIND_LETTER, 0);
  head.writeUInt8((letter.cut ? FLAG_CUT : 0) | (letter.index === undefined ? 0 : FLAG_INDEX), 1);
  head.writeUInt32BE(letter.index ?? 0, 2);
  head.writeUInt16BE(reason.length, 6);
  head.writeUInt32BE(error.length, 8);
  head.writeUInt16BE(from.length, 12);
  return {
    encoding: 'identity',
    batches: letter.batches,
    value: Buffer.concat([head, reason, error, from, letter.value]),
  };
}

/** Null where the headers and the value are not what a spool writes. The bytes of the entry are views on `value`. */
export function decodeSpoolEntry(headers: Headers, value: Uint8Array): SpoolEntry | null {
  const batches = headers['batches'];
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (batches === undefined || bytes.length === 0) return null;
  if (bytes[0] === KIND_RECORD) return decodeRecord(bytes, encodingOf(headers['encoding']), batches);
  return bytes[0] === KIND_LETTER ? decodeLetter(bytes, batches) : null;
}

/** Events of an entry by the first bytes of its value; none where it is a dead letter, which was counted before it came. */
export function spooledEvents(value: Uint8Array): number {
  if (value[0] !== KIND_RECORD || value.length < RECORD_HEAD_BYTES) return 0;
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).readUInt32BE(5);
}

function decodeRecord(bytes: Buffer, encoding: Encoding | null, batches: Uint8Array): SpoolEntry | null {
  if (encoding === null || bytes.length < RECORD_HEAD_BYTES) return null;
  const record = { encoding, batches, value: bytes.subarray(RECORD_HEAD_BYTES) };
  return { kind: 'record', partition: bytes.readUInt32BE(1), events: bytes.readUInt32BE(5), record };
}

function decodeLetter(bytes: Buffer, batches: Uint8Array): SpoolEntry | null {
  if (bytes.length < LETTER_HEAD_BYTES) return null;
  const flags = bytes.readUInt8(1);
  const reasonEnd = LETTER_HEAD_BYTES + bytes.readUInt16BE(6);
  const errorEnd = reasonEnd + bytes.readUInt32BE(8);
  const fromEnd = errorEnd + bytes.readUInt16BE(12);
  if (fromEnd > bytes.length) return null;
  const letter: DeadLetter = {
    batches,
    reason: bytes.toString('utf8', LETTER_HEAD_BYTES, reasonEnd),
    error: bytes.toString('utf8', reasonEnd, errorEnd),
    from: bytes.toString('utf8', errorEnd, fromEnd),
    value: bytes.subarray(fromEnd),
    cut: (flags & FLAG_CUT) !== 0,
    ...((flags & FLAG_INDEX) !== 0 && { index: bytes.readUInt32BE(2) }),
  };
  return { kind: 'letter', letter };
}

function encodingOf(bytes: Uint8Array | undefined): Encoding | null {
  const text = bytes === undefined ? '' : Buffer.from(bytes).toString('latin1');
  return text === 'identity' || text === 'gzip' || text === 'zstd' ? text : null;
}
