// ExportLogsServiceRequest in JSON to entries (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding): the
// text is made msgpack in one pass (json-value.ts), and that is walked. So nothing is rounded, and nothing
// becomes an object.
//
// Ids are hex, 64-bit integers are strings or numbers, bytes are base64, unknown fields are ignored (json-names.ts).
//
// Guarantees: of the body, its msgpack and the entries, no more than two are in memory at a time where `bodyRead` gives
// the body back; a record costs no garbage beside its keys and numbers.

import { isMap } from '#shared/msgpack/extents.ts';
import { jsonToMsgpack } from '#shared/json/json-to-msgpack.ts';
import { Fields, JsonPlaces, type Take } from './json-places.ts';
import { JsonValues, type WriterOf } from './json-values.ts';
import { type OtlpLogs, type OtlpOptions, OtlpRecords } from './records.ts';

/** @param bodyRead called when the body is of no more use */
export function jsonLogs(body: Buffer, options: OtlpOptions, bodyRead?: () => void): OtlpLogs {
  const sentBytes = body.length;
  const bytes = jsonToMsgpack(body, options.bytesMax);
  if (!Buffer.isBuffer(bytes) && bytes.isTooLarge) return { kind: 'too_large' };
  if (!Buffer.isBuffer(bytes)) return { kind: 'malformed', why: `${bytes.why} (byte ${bytes.at})` };
  bodyRead?.();
  try {
    if (!isMap(bytes[0] ?? 0)) return { kind: 'malformed', why: 'it has to be an object with resourceLogs' };
    return new JsonWalk(bytes, options, sentBytes).request();
  } finally {
    // Left to the garbage collector, as much as the body would lie about.
    bytes.buffer.transfer(0);
  }
}

class JsonWalk {
  readonly #places: JsonPlaces;
  readonly #values: JsonValues;
  readonly #records: OtlpRecords;
  /** Of each level the fields of the object in work. */
  readonly #ofRequest = new Fields();
  readonly #ofResourceLogs = new Fields();
  readonly #ofResource = new Fields();
  readonly #ofScopeLogs = new Fields();
  readonly #ofScope = new Fields();
  readonly #ofRecord = new Fields();
  readonly #takeResourceLogs: Take = (at) => this.#resourceLogs(at);
  readonly #takeScopeLogs: Take = (at) => this.#scopeLogs(at);
  readonly #takeRecord: Take = (at) => this.#record(at);
  readonly #takeOfResource: Take;
  readonly #takeOfScope: Take;
  readonly #takeOfRecord: Take;

  constructor(bytes: Buffer, options: OtlpOptions, sentBytes: number) {
    const places = new JsonPlaces(bytes);
    const values = new JsonValues(places);
    const records = new OtlpRecords(bytes.length, options, sentBytes);
    this.#places = places;
    this.#values = values;
    this.#records = records;
    this.#takeOfResource = attributesOf(values, (key) => records.resourceAttribute(key));
    this.#takeOfScope = attributesOf(values, (key) => records.scopeAttribute(key));
    this.#takeOfRecord = attributesOf(values, (key) => records.attribute(key));
  }

  request(): OtlpLogs {
    const places = this.#places;
    places.read(0, this.#ofRequest);
    places.each(this.#ofRequest, 'resourceLogs', this.#takeResourceLogs);
    return places.misfit === null ? this.#records.done() : { kind: 'malformed', why: places.misfit };
  }

  #resourceLogs(at: number): number {
    const places = this.#places;
    if (places.misfit !== null) return places.endOf(at);
    const fields = this.#ofResourceLogs;
    const end = places.read(at, fields);
    this.#records.startResource();
    const resource = fields.at('resource');
    if (resource >= 0) {
      places.read(resource, this.#ofResource);
      places.each(this.#ofResource, 'attributes', this.#takeOfResource);
    }
    places.each(fields, 'scopeLogs', this.#takeScopeLogs);
    return end;
  }

  #scopeLogs(at: number): number {
    const places = this.#places;
    const records = this.#records;
    const fields = this.#ofScopeLogs;
    const end = places.read(at, fields);
    records.startScope();
    const scope = fields.at('scope');
    if (scope >= 0) this.#scope(scope);
    records.startRecords();
    // What is shared by many records and does not fit costs the request; what is in one record costs that one.
    if (places.misfit === null) places.each(fields, 'logRecords', this.#takeRecord);
    return end;
  }

  #scope(at: number): void {
    const places = this.#places;
    const fields = this.#ofScope;
    places.read(at, fields);
    const name = places.text(fields, 'name');
    const version = places.text(fields, 'version');
    if (name.length > 0) this.#records.scopeName().stringBytes(name);
    if (version.length > 0) this.#records.scopeVersion().stringBytes(version);
    places.each(fields, 'attributes', this.#takeOfScope);
  }

  #record(at: number): number {
    const places = this.#places;
    const records = this.#records;
    records.startRecord();
    const end = places.read(at, this.#ofRecord);
    this.#writeRecord(this.#ofRecord);
    if (places.misfit === null) records.endRecord();
    else records.reject(places.misfit);
    places.misfit = null;
    return end;
  }

  #writeRecord(fields: Fields): void {
    const places = this.#places;
    const records = this.#records;
    records.time(places.time(fields, 'timeUnixNano'));
    records.observedTime(places.time(fields, 'observedTimeUnixNano'));
    records.severityText(places.text(fields, 'severityText'));
    records.severityNumber(places.small(fields, 'severityNumber'));
    const body = fields.at('body');
    if (body >= 0) this.#values.value(body, records.body());
    places.each(fields, 'attributes', this.#takeOfRecord);
    records.droppedAttributes(places.small(fields, 'droppedAttributesCount'));
    records.flags(places.small(fields, 'flags'));
    records.traceId(places.hex(fields, 'traceId'));
    records.spanId(places.hex(fields, 'spanId'));
    records.eventName(places.text(fields, 'eventName'));
  }
}

/** Takes attributes, and writes their keys by `writerOf`. */
function attributesOf(values: JsonValues, writerOf: WriterOf): Take {
  return (at) => values.pair(at, writerOf);
}
