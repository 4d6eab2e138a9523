// The value of a message of others → its events, by the format that its rule says.
//
//   text         UTF-8: the value is the message of one event
//   json         an object, or an array of objects
//   ndjson       an object a line; blank lines are none. A line that is no object is an event by itself, its text
//   otlp_json    an ExportLogsServiceRequest: as `POST /v1/logs` reads it (shared/otlp/)
//   otlp_proto
//
// Guarantees: never throws for what is in a value. `false`: it cannot be read as its format, and what was added is to
// be forgotten. What a value of OTLP has beside records that can be read is not lost: the value's text is added.

import { isUtf8 } from 'node:buffer';
import { setImmediate as turn } from 'node:timers/promises';
import { SluiceError } from '#shared/errors.ts';
import { JsonReader } from '#shared/json/json-value.ts';
import {
  containerChildren,
  containerHeaderSize,
  entryEnd,
  isArray,
  isMap,
  timeEnd,
  valueEnd,
} from '#shared/msgpack/extents.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { jsonLogs } from '#shared/otlp/json.ts';
import { protobufLogs } from '#shared/otlp/protobuf.ts';
import type { OtlpLogs } from '#shared/otlp/records.ts';
import { eventsMaxOf } from '#shared/record/event-limit.ts';
import { RECEIVE_TIME } from '#shared/record/event-time.ts';
import type { SourceRule } from '#shared/config/settings/sources.ts';
import type { MessageEntries } from './message-entries.ts';

/** What is read in one turn of the event loop: a value, or a line of ndjson. A larger one is not looked into. */
const DECODED_BYTES_MAX = 4 * 1024 * 1024;
const LINES_BYTES_MAX = 16 * 1024 * 1024;
/** Of the records of a request, each with what its resource and its scope say. */
const OTLP_BYTES_MAX = 64 * 1024 * 1024;
const TURN_BYTES = 256 * 1024;
const LINE_FEED = 0x0a;
const BYTE_ORDER_MARK = Buffer.from('\ufeff');

const json = new MsgpackWriter();
const reader = new JsonReader(json);

/** `addText`: adds a text as an event that could not be read. */
export async function addEvents(
  value: Buffer,
  format: SourceRule['format'],
  entries: MessageEntries,
  addText: (text: Uint8Array) => void,
): Promise<boolean> {
  if (format === 'text') {
    if (!isUtf8(value)) return false;
    entries.text(value, true);
    return true;
  }
  if (value.length > (format === 'ndjson' ? LINES_BYTES_MAX : DECODED_BYTES_MAX)) return false;
  switch (format) {
    case 'json':
      return addJson(value, entries);
    case 'ndjson':
      return addLines(value, entries, addText);
    case 'otlp_json':
    case 'otlp_proto':
      return addOtlp(value, format, entries, addText);
  }
}

function addJson(value: Buffer, entries: MessageEntries): boolean {
  const start = BYTE_ORDER_MARK.equals(value.subarray(0, BYTE_ORDER_MARK.length)) ? BYTE_ORDER_MARK.length : 0;
  if (!readValue(value, start, value.length)) return false;
  const bytes = json.view();
  const type = bytes[0] ?? 0;
  if (isMap(type)) {
    entries.record(bytes, 0, bytes.length);
    return true;
  }
  if (!isArray(type)) return false;
  const count = containerChildren(bytes, 0, type);
  if (count === 0 || count > eventsMaxOf(value.length)) return false;
  let at = containerHeaderSize(type);
  for (let left = count; left > 0; left -= 1) {
    if (!isMap(bytes[at] ?? 0) || entries.isTooMuch) return false;
    const end = valueEnd(bytes, at, bytes.length);
    entries.record(bytes, at, end);
    at = end;
  }
  return true;
}

async function addLines(value: Buffer, entries: MessageEntries, addText: (text: Uint8Array) => void): Promise<boolean> {
  const countMax = eventsMaxOf(value.length);
  let turnAt = TURN_BYTES;
  for (let start = 0; start < value.length;) {
    const feed = value.indexOf(LINE_FEED, start);
    const end = feed < 0 ? value.length : feed;
    if (!isBlank(value, start, end)) {
      const isRead = end - start <= DECODED_BYTES_MAX && readValue(value, start, end);
      const line = isRead ? json.view() : null;
      if (line !== null && isMap(line[0] ?? 0)) entries.record(line, 0, line.length);
      else addText(value.subarray(start, value[end - 1] === 0x0d ? end - 1 : end));
      if (entries.count > countMax || entries.isTooMuch) return false;
    }
    start = end + 1;
    if (start < turnAt) continue;
    turnAt = start + TURN_BYTES;
    await turn();
  }
  return entries.count > 0;
}

function addOtlp(
  value: Buffer,
  format: 'otlp_json' | 'otlp_proto',
  entries: MessageEntries,
  addText: (text: Uint8Array) => void,
): boolean {
  const logs = otlpLogs(value, format);
  if (logs?.kind !== 'records' || logs.count === 0) return false;
  const { entries: bytes, rejected } = logs;
  for (let at = 0; at < bytes.length;) {
    const end = entryEnd(bytes, at, bytes.length);
    const recordAt = timeEnd(bytes, at + 1, end);
    const time = { at: at + 1, end: recordAt };
    if (entries.isTooMuch) return false;
    entries.record(bytes, recordAt, end, time);
    at = end;
  }
  if (rejected > 0) addText(value);
  return true;
}

function otlpLogs(value: Buffer, format: 'otlp_json' | 'otlp_proto'): OtlpLogs | null {
  const options = { time: RECEIVE_TIME, bytesMax: OTLP_BYTES_MAX };
  try {
    return format === 'otlp_json' ? jsonLogs(value, options) : protobufLogs(value, options);
  } catch (error) {
    // Far more events than their bytes are worth.
    if (error instanceof SluiceError) return null;
    throw error;
  }
}

/** One value and white space, as msgpack in `json`. */
function readValue(bytes: Buffer, start: number, end: number): boolean {
  json.reset();
  reader.setText(bytes, start, end);
  reader.skipSpace();
  return reader.value() && reader.skipSpace() < 0;
}

function isBlank(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if ((bytes[at] ?? 0) > 0x20) return false;
  return true;
}
