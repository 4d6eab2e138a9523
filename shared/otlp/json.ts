// ExportLogsServiceRequest in JSON to entries (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding): the
// text is made msgpack in one pass (json-value.ts), and that is walked. So nothing is rounded, and nothing
// becomes an object.
//
// Ids are hex, 64-bit integers are strings or numbers, bytes are base64, unknown fields are ignored (json-names.ts).

import { MsgpackReader } from '#shared/msgpack/reader.ts';
import type { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { isMap, isNumber } from '#shared/msgpack/extents.ts';
import { jsonToMsgpack } from '#shared/json/json-value.ts';
import { type ValueKind, fieldName, valueKind } from './json-names.ts';
import { type OtlpLogs, type OtlpOptions, OtlpRecords } from './records.ts';

export function jsonLogs(body: Buffer, options: OtlpOptions): OtlpLogs {
  const bytes = jsonToMsgpack(body);
  if (!Buffer.isBuffer(bytes)) return { kind: 'malformed', why: `${bytes.why} (byte ${bytes.at})` };
  if (!isMap(bytes[0] ?? 0)) return { kind: 'malformed', why: 'it has to be an object with resourceLogs' };
  const walk = new JsonWalk(bytes, options, body.length);
  return walk.request();
}

/**
 * Notes what does not fit, and goes on with nothing in its place: an exception for each of a million records would cost
 * more than all else.
 */
class JsonWalk {
  readonly #bytes: Buffer;
  readonly #records: OtlpRecords;
  #misfit: string | null = null;

  constructor(bytes: Buffer, options: OtlpOptions, sentBytes: number) {
    this.#bytes = bytes;
    this.#records = new OtlpRecords(bytes.length, options, sentBytes);
  }

  request(): OtlpLogs {
    const records = this.#records;
    for (const resourceLogs of this.#list(this.#fields(0), 'resourceLogs')) {
      const fields = this.#fields(resourceLogs);
      records.startResource();
      const resource = fields.get('resource');
      if (resource !== undefined) {
        this.#attributes(this.#fields(resource), (key) => records.resourceAttribute(key));
      }
      for (const scopeLogs of this.#list(fields, 'scopeLogs')) this.#scopeLogs(scopeLogs);
      if (this.#misfit !== null) break;
    }
    return this.#misfit === null ? records.done() : { kind: 'malformed', why: this.#misfit };
  }

  #scopeLogs(at: number): void {
    const fields = this.#fields(at);
    const records = this.#records;
    records.startScope();
    const scope = fields.get('scope');
    if (scope !== undefined) this.#scope(this.#fields(scope));
    records.startRecords();
    const list = this.#list(fields, 'logRecords');
    // What is shared by many records and does not fit costs the request; what is in one record costs that one.
    if (this.#misfit !== null) return;
    for (const record of list) {
      records.startRecord();
      this.#record(this.#fields(record));
      if (this.#misfit === null) records.endRecord();
      else records.reject(this.#misfit);
      this.#misfit = null;
    }
  }

  #scope(fields: Fields): void {
    const name = this.#text(fields, 'name');
    const version = this.#text(fields, 'version');
    if (name.length > 0) this.#records.scopeName().stringBytes(name);
    if (version.length > 0) this.#records.scopeVersion().stringBytes(version);
    this.#attributes(fields, (key) => this.#records.scopeAttribute(key));
  }

  #record(fields: Fields): void {
    const records = this.#records;
    records.time(this.#time(fields, 'timeUnixNano'));
    records.observedTime(this.#time(fields, 'observedTimeUnixNano'));
    records.severityText(this.#text(fields, 'severityText'));
    records.severityNumber(this.#small(fields, 'severityNumber'));
    const body = fields.get('body');
    if (body !== undefined) this.#value(body, records.body());
    this.#attributes(fields, (key) => records.attribute(key));
    records.droppedAttributes(this.#small(fields, 'droppedAttributesCount'));
    records.flags(this.#small(fields, 'flags'));
    records.traceId(this.#text(fields, 'traceId').toString('latin1').toLowerCase());
    records.spanId(this.#text(fields, 'spanId').toString('latin1').toLowerCase());
    records.eventName(this.#text(fields, 'eventName'));
  }

  #attributes(fields: Fields, writerOf: (key: Buffer) => MsgpackWriter): void {
    for (const at of this.#list(fields, 'attributes')) this.#pair(at, writerOf);
  }

  #pair(at: number, writerOf: (key: Buffer) => MsgpackWriter): void {
    const reader = this.#reader(at);
    let key: Buffer = EMPTY;
    let valueAt = -1;
    for (let left = this.#memberCount(reader); left > 0; left -= 1) {
      const name = fieldName(reader);
      if (name === 'key') key = this.#textAt(reader.position, name);
      else if (name === 'value') valueAt = reader.position;
      reader.skip();
    }
    const writer = writerOf(key);
    if (valueAt < 0 || this.#bytes[valueAt] === NIL) writer.nil();
    else this.#value(valueAt, writer);
  }

  /** An AnyValue, whose depth the JSON reader has bounded; of several values in it the last one counts. */
  #value(at: number, writer: MsgpackWriter): void {
    const reader = this.#reader(at);
    const start = writer.length;
    for (let left = this.#memberCount(reader); left > 0; left -= 1) {
      const kind = valueKind(fieldName(reader));
      const valueAt = reader.position;
      reader.skip();
      if (kind === undefined || this.#bytes[valueAt] === NIL) continue;
      writer.truncate(start);
      this.#writeValue(kind, valueAt, writer);
    }
    if (writer.length === start) writer.nil();
  }

  #writeValue(kind: ValueKind, at: number, writer: MsgpackWriter): void {
    switch (kind) {
      case 'stringValue':
        writer.stringBytes(this.#textAt(at, kind));
        break;
      case 'boolValue': {
        const value = this.#reader(at).boolean();
        if (value === undefined) this.#note(`its ${kind} is neither true nor false`);
        writer.boolean(value ?? false);
        break;
      }
      case 'intValue':
        writer.integer(this.#integerAt(at, kind));
        break;
      case 'doubleValue':
        this.#writeDouble(at, writer);
        break;
      case 'bytesValue':
        writer.binary(Buffer.from(this.#textAt(at, kind).toString('latin1'), 'base64'));
        break;
      case 'arrayValue':
        this.#writeArray(at, writer);
        break;
      case 'kvlistValue':
        this.#writeMap(at, writer);
        break;
    }
  }

  #writeArray(at: number, writer: MsgpackWriter): void {
    const header = writer.openArray();
    let count = 0;
    for (const value of this.#list(this.#fields(at), 'values')) {
      this.#value(value, writer);
      count += 1;
    }
    writer.closeArray(header, count);
  }

  #writeMap(at: number, writer: MsgpackWriter): void {
    const header = writer.openMap();
    const writerOf = (key: Buffer) => {
      writer.stringBytes(key);
      return writer;
    };
    let count = 0;
    for (const pair of this.#list(this.#fields(at), 'values')) {
      this.#pair(pair, writerOf);
      count += 1;
    }
    writer.closeMap(header, count);
  }

  /** A number as it is; a text such as "NaN" as the number that it names. */
  #writeDouble(at: number, writer: MsgpackWriter): void {
    const reader = this.#reader(at);
    const text = reader.string();
    if (text === undefined) {
      if (!isNumber(this.#bytes[at] ?? 0)) this.#note('its doubleValue is no number');
      reader.skip();
      writer.raw(this.#bytes, at, reader.position);
      return;
    }
    const value = Number(text);
    if (text === '' || (Number.isNaN(value) && text !== 'NaN')) this.#note('its doubleValue is no number');
    writer.float(value);
  }

  /** Where the values of the object at `at` begin, by their names in camel case; null is as good as absent. */
  #fields(at: number): Fields {
    const fields: Fields = new Map();
    const reader = this.#reader(at);
    for (let left = this.#memberCount(reader); left > 0; left -= 1) {
      const name = fieldName(reader);
      if (name !== undefined && this.#bytes[reader.position] !== NIL) fields.set(name, reader.position);
      reader.skip();
    }
    return fields;
  }

  /** The number of members of the object that begins here; 0 if there is no object. */
  #memberCount(reader: MsgpackReader): number {
    const count = reader.mapHeader();
    if (count === undefined) this.#note('an object is missing where one has to be');
    return count ?? 0;
  }

  #note(why: string): void {
    this.#misfit ??= why;
  }

  /** Where the elements of a list begin; none where there is no such field. */
  *#list(fields: Fields, name: string): Generator<number, void, undefined> {
    const at = fields.get(name);
    if (at === undefined) return;
    const reader = this.#reader(at);
    const count = reader.arrayHeader();
    if (count === undefined) this.#note(`its ${name} is no array`);
    for (let left = count ?? 0; left > 0; left -= 1) {
      yield reader.position;
      reader.skip();
    }
  }

  #text(fields: Fields, name: string): Buffer {
    const at = fields.get(name);
    return at === undefined ? EMPTY : this.#textAt(at, name);
  }

  #textAt(at: number, name: string): Buffer {
    const text = this.#reader(at).bytes();
    if (text === undefined) this.#note(`its ${name} is no string`);
    return text ?? EMPTY;
  }

  #small(fields: Fields, name: string): number {
    const value = Number(this.#integer(fields, name));
    if (value < -0x80000000 || value > 0xffffffff) this.#note(`its ${name} is past 32 bits`);
    return value;
  }

  #time(fields: Fields, name: string): bigint {
    const ns = this.#integer(fields, name);
    if (ns < 0n) this.#note(`its ${name} is negative`);
    return ns;
  }

  #integer(fields: Fields, name: string): bigint {
    const at = fields.get(name);
    return at === undefined ? 0n : this.#integerAt(at, name);
  }

  /** Within the bounds of 64 bits. */
  #integerAt(at: number, name: string): bigint {
    const reader = this.#reader(at);
    const number = reader.integer();
    if (number !== undefined) return BigInt(number);
    const text = reader.string();
    const value = text !== undefined && /^-?\d{1,20}$/.test(text) ? BigInt(text) : null;
    if (value === null) this.#note(`its ${name} is no integer`);
    else if (value < INT64_MIN || value > UINT64_MAX) this.#note(`its ${name} is past 64 bits`);
    else return value;
    return 0n;
  }

  #reader(at: number): MsgpackReader {
    return new MsgpackReader(this.#bytes, at);
  }
}

/** Positions of values by name. */
type Fields = Map<string, number>;

const NIL = 0xc0;
const EMPTY = Buffer.alloc(0);
const INT64_MIN = -(2n ** 63n);
const UINT64_MAX = 2n ** 64n - 1n;
