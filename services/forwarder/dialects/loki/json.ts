// Loki's push request in JSON to entries. The text is made msgpack in one pass, and that is walked.
//
//   {"streams":[{"stream":{"app":"shop"},"values":[["1700000000000000000","line",{"trace_id":"7"}],…]}]}
//
// Times are nanoseconds as text; a number is understood too.

import { MsgpackReader } from '#shared/msgpack/reader.ts';
import { eventTimeOfNs } from '#shared/record/event-time.ts';
import { jsonToMsgpack } from '#shared/json/json-to-msgpack.ts';
import type { Label } from './labels.ts';
import { type LokiOptions, LokiEntries, type LokiStreams } from './streams.ts';

/** @param bodyRead called when the body is of no more use */
export function jsonStreams(body: Buffer, options: LokiOptions, bodyRead?: () => void): LokiStreams {
  const sentBytes = body.length;
  const bytes = jsonToMsgpack(body, options.bytesMax);
  if (!Buffer.isBuffer(bytes) && bytes.isTooLarge) return { kind: 'too_large' };
  if (!Buffer.isBuffer(bytes)) return { kind: 'malformed', why: `${bytes.why} (byte ${bytes.at})` };
  bodyRead?.();
  try {
    return streamsOf(bytes, new LokiEntries(bytes.length, options, sentBytes));
  } finally {
    // Left to the garbage collector, as much as the body would lie about.
    bytes.buffer.transfer(0);
  }
}

function streamsOf(bytes: Buffer, records: LokiEntries): LokiStreams {
  const streamsAt = fieldsOf(bytes, 0)?.get('streams');
  const streams = streamsAt === undefined ? undefined : elementsOf(bytes, streamsAt);
  if (!streams) return { kind: 'malformed', why: 'it has to be an object with an array of streams' };
  for (const at of streams) {
    const why = takeStream(bytes, at, records);
    if (why !== null) return { kind: 'malformed', why };
  }
  return records.done();
}

/** What is wrong with the stream, if anything is. */
function takeStream(bytes: Buffer, at: number, records: LokiEntries): string | null {
  const fields = fieldsOf(bytes, at);
  const labelsAt = fields?.get('stream');
  const labels = labelsAt === undefined ? undefined : labelsOf(bytes, labelsAt);
  const valuesAt = fields?.get('values');
  const values = valuesAt === undefined ? undefined : elementsOf(bytes, valuesAt);
  if (!labels) return 'the stream of a stream has to be an object of strings';
  if (!values) return 'the values of a stream have to be an array';
  records.startStream(labels);
  for (const valueAt of values) {
    const why = takeValue(bytes, valueAt, records);
    if (why !== null) return why;
  }
  return null;
}

function takeValue(bytes: Buffer, at: number, records: LokiEntries): string | null {
  const reader = new MsgpackReader(bytes, at);
  const count = reader.arrayHeader();
  if (count !== 2 && count !== 3) return 'a value has to be [time, line] or [time, line, metadata]';
  const time = eventTimeOfNs(nanosecondsAt(reader));
  if (!time) return 'the time of a value has to be nanoseconds since 1970, as text';
  const line = reader.bytes();
  if (!line) return 'the line of a value has to be a string';
  records.startEntry();
  for (let left = count === 3 ? (reader.mapHeader() ?? -1) : 0; left !== 0; left -= 1) {
    const name = reader.bytes();
    const value = reader.bytes();
    if (left < 0 || !name || !value) return 'the metadata of a value has to be an object of strings';
    records.metadata(name, value);
  }
  records.endEntry(time, line);
  return null;
}

function nanosecondsAt(reader: MsgpackReader): bigint {
  const number = reader.integer();
  if (number !== undefined) return BigInt(number);
  const text = reader.string() ?? '';
  return /^\d{1,20}$/.test(text) ? BigInt(text) : -1n;
}

function labelsOf(bytes: Buffer, at: number): Label[] | undefined {
  const reader = new MsgpackReader(bytes, at);
  const count = reader.mapHeader();
  if (count === undefined || count > LABELS_MAX) return undefined;
  const labels: Label[] = [];
  for (let left = count; left > 0; left -= 1) {
    const name = reader.bytes();
    const value = reader.bytes();
    if (!name || !value) return undefined;
    labels.push([name.toString(), value.toString()]);
  }
  return labels;
}

/** Where the values of the names that matter begin; undefined where there is no object. */
function fieldsOf(bytes: Buffer, at: number): Map<string, number> | undefined {
  const reader = new MsgpackReader(bytes, at);
  const count = reader.mapHeader();
  if (count === undefined) return undefined;
  const fields = new Map<string, number>();
  for (let left = count; left > 0; left -= 1) {
    const name = reader.bytes()?.toString('latin1') ?? '';
    if (NAMES.has(name)) fields.set(name, reader.position);
    reader.skip();
  }
  return fields;
}

/** Where the elements of the array at `at` begin; undefined where there is no array. */
function elementsOf(bytes: Buffer, at: number): Iterable<number> | undefined {
  const reader = new MsgpackReader(bytes, at);
  const count = reader.arrayHeader();
  return count === undefined ? undefined : positions(reader, count);
}

function* positions(reader: MsgpackReader, count: number): Generator<number, void, undefined> {
  for (let left = count; left > 0; left -= 1) {
    yield reader.position;
    reader.skip();
  }
}

const LABELS_MAX = 256;
const NAMES: ReadonlySet<string> = new Set(['streams', 'stream', 'values']);
