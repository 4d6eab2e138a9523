// How records cross between the threads, many in one buffer that is moved and not copied; and how headers lie in the
// table.
//
//   record    offset f64 | time f64 | headers bytes u32 | value bytes u32 | headers | value
//   headers   (name bytes u16 | name | value bytes u32 | value)*
//
// Numbers are big-endian. Both sides are ours and of one process, so a record that does not fit is a fault of ours.

import assert from 'node:assert/strict';
import type { Headers } from '../../headers.ts';

const RECORD_HEAD_BYTES = 24;
const HEADER_HEAD_BYTES = 6;

/** A record in its stored form: `headers` encoded. */
export interface Stored {
  readonly offset: number;
  readonly timeMs: number;
  readonly headers: Uint8Array;
  readonly value: Uint8Array;
}

/** What records take in the table, about. */
export function storedBytes(records: readonly Stored[]): number {
  let sum = 0;
  for (const { headers, value } of records) sum += headers.length + value.length + 64;
  return sum;
}

/** Packs records into one new ArrayBuffer. */
export function packRecords(records: readonly Stored[]): Uint8Array<ArrayBuffer> {
  let size = 0;
  for (const { headers, value } of records) size += RECORD_HEAD_BYTES + headers.length + value.length;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { offset, timeMs, headers, value } of records) {
    view.setFloat64(at, offset);
    view.setFloat64(at + 8, timeMs);
    view.setUint32(at + 16, headers.length);
    view.setUint32(at + 20, value.length);
    at += RECORD_HEAD_BYTES;
    bytes.set(headers, at);
    at += headers.length;
    bytes.set(value, at);
    at += value.length;
  }
  return bytes;
}

/** What was packed; the bytes of the records are views, not copies. */
export function* unpackRecords(bytes: Uint8Array<ArrayBuffer>): Generator<Stored, void, void> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at < bytes.length) {
    const headersStart = at + RECORD_HEAD_BYTES;
    const valueStart = headersStart + view.getUint32(at + 16);
    const end = valueStart + view.getUint32(at + 20);
    assert(end <= bytes.length, 'a record is whole');
    yield {
      offset: view.getFloat64(at),
      timeMs: view.getFloat64(at + 8),
      headers: bytes.subarray(headersStart, valueStart),
      value: bytes.subarray(valueStart, end),
    };
    at = end;
  }
}

/** What they take once they are encoded. */
export function headersBytes(headers: Headers): number {
  let size = 0;
  for (const name in headers) {
    size += HEADER_HEAD_BYTES + Buffer.byteLength(name) + (headers[name]?.length ?? 0);
  }
  return size;
}

export function encodeHeaders(headers: Headers): Buffer {
  const bytes = Buffer.allocUnsafe(headersBytes(headers));
  let at = 0;
  for (const name in headers) {
    const value = headers[name];
    assert(value !== undefined);
    const nameLength = bytes.write(name, at + 2);
    assert(nameLength < 65_536, 'a header has a short name');
    at = bytes.writeUInt16BE(nameLength, at) + nameLength;
    at = bytes.writeUInt32BE(value.length, at);
    bytes.set(value, at);
    at += value.length;
  }
  return bytes;
}

export function decodeHeaders(bytes: Uint8Array): Headers {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headers: Record<string, Uint8Array> = {};
  let at = 0;
  while (at < buffer.length) {
    const nameEnd = at + 2 + buffer.readUInt16BE(at);
    const start = nameEnd + 4;
    const end = start + buffer.readUInt32BE(nameEnd);
    assert(end <= buffer.length, 'a header is whole');
    headers[buffer.toString('utf8', at + 2, nameEnd)] = buffer.subarray(start, end);
    at = end;
  }
  return headers;
}
