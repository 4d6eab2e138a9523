// A record of Docker's `local` log driver, and where in a file there is one. Pure.
//
//   <length, 4 bytes, the high byte first> <LogEntry> <the same length>        one after another, with nothing between
//
//   LogEntry (protobuf)   1 source, "stdout" or "stderr"    2 time_nano    3 line    4 partial
//                         5 partial_log_metadata { 1 last  2 id  3 ordinal }    6 attrs { 1 key  2 value }, from 29 on
//
// https://github.com/moby/moby/tree/master/daemon/logger/local and internal/logdriver/entry.proto. Every Docker writes
// the fields in their order, so that a record begins with its source: that is how one is found again behind damage.
// Total: what has another form is no record.

import { BYTES, ProtobufReader, VARINT } from '#shared/otlp/protobuf-reader.ts';
import { eventTimeOfNs } from '#shared/record/event-time.ts';
import { PART_BYTES } from '../files/file-entries.ts';
import { type ContainerLine, DOCKER_PART_BYTES, SECONDS_END } from './container-line.ts';

export const LENGTH_BYTES = 4;
/** The source: field 1, six bytes of it. */
const SOURCE = Buffer.from('\n\x06std');
/** What it takes at least: its source. */
const ENTRY_BYTES_MIN = 8;
/** Docker cuts lines at 16 KiB: none is nearly as long. What is no record is never taken for a longer one. */
const ENTRY_BYTES_MAX = PART_BYTES - 2 * LENGTH_BYTES;

/** What there is: no record, and whatever follows makes none of it; or what may be the beginning of one. */
export const NONE = -1;
export const MORE = -2;

/** The end of the record that begins at `at`; NONE or MORE where there is no whole one. */
export function recordEnd(bytes: Buffer, at: number): number {
  if (bytes.length - at < LENGTH_BYTES) return MORE;
  const length = bytes.readUInt32BE(at);
  if (length < ENTRY_BYTES_MIN || length > ENTRY_BYTES_MAX) return NONE;
  const start = at + LENGTH_BYTES;
  const shown = Math.min(SOURCE.length, bytes.length - start);
  if (bytes.compare(SOURCE, 0, shown, start, start + shown) !== 0) return NONE;
  const end = start + length;
  if (bytes.length < end + LENGTH_BYTES) return MORE;
  return bytes.readUInt32BE(end) === length ? end + LENGTH_BYTES : NONE;
}

/**
 * Where the first record begins that does so in bytes[from, to). NONE: there is none; MORE: there may be one, of which
 * not all bytes are there. `isAll`: nobody waits for more bytes.
 */
export function nextRecord(bytes: Buffer, from: number, to: number, isAll: boolean): number {
  const held = bytes.subarray(0, to + LENGTH_BYTES + SOURCE.length - 1);
  for (let source = from + LENGTH_BYTES; ; source += 1) {
    source = held.indexOf(SOURCE, source);
    if (source < 0) return NONE;
    const at = source - LENGTH_BYTES;
    const end = recordEnd(bytes, at);
    if (end >= 0) return at;
    if (end === MORE && !isAll) return MORE;
  }
}

/** The line in bytes[start, end), a whole record; null where it is not what Docker writes. */
export function lineOfRecord(bytes: Buffer, start: number, end: number): ContainerLine | null {
  const entry = bytes.subarray(start + LENGTH_BYTES, end - LENGTH_BYTES);
  const reader = new ProtobufReader(entry);
  const read = { source: '', time: 0n, line: entry.subarray(0, 0), isPartial: false, isLast: false };
  const attrs: [string, string][] = [];
  while (reader.next(entry.length)) {
    const { field, type } = reader;
    if (type === BYTES && field === 1) read.source = reader.bytes(entry.length).toString('latin1');
    else if (type === VARINT && field === 2) read.time = reader.int64();
    else if (type === BYTES && field === 3) read.line = reader.bytes(entry.length);
    else if (type === VARINT && field === 4) read.isPartial = reader.uint32() !== 0;
    else if (type === BYTES && field === 5) read.isLast = isLastPart(reader, reader.messageEnd(entry.length));
    else if (type === BYTES && field === 6) attrs.push(attributeOf(reader, reader.messageEnd(entry.length)));
    else reader.skip(entry.length);
  }
  const { source, line, isPartial, isLast } = read;
  const time = eventTimeOfNs(read.time);
  if (reader.fault !== null || (source !== 'stdout' && source !== 'stderr')) return null;
  if (time === null || time.seconds >= SECONDS_END) return null;
  // What a container left without a line feed is a part too that is not the last, and none follows.
  const isPart = isPartial && !isLast && line.length >= DOCKER_PART_BYTES;
  const texts = attrs.length === 0 ? null : Object.fromEntries(attrs);
  return { time, stream: source, isPart, bytes: line, start: 0, end: line.length, attrs: texts };
}

function isLastPart(reader: ProtobufReader, end: number): boolean {
  let isLast = false;
  while (reader.next(end)) {
    if (reader.field === 1 && reader.type === VARINT) isLast = reader.uint32() !== 0;
    else reader.skip(end);
  }
  return isLast;
}

function attributeOf(reader: ProtobufReader, end: number): [string, string] {
  const pair: [string, string] = ['', ''];
  while (reader.next(end)) {
    if (reader.type === BYTES && reader.field === 1) pair[0] = reader.bytes(end).toString('utf8');
    else if (reader.type === BYTES && reader.field === 2) pair[1] = reader.bytes(end).toString('utf8');
    else reader.skip(end);
  }
  return pair;
}
