// ExportLogsServiceRequest in protobuf to entries (opentelemetry/proto/collector/logs/v1/logs_service.proto,
// logs/v1/logs.proto).
//
//   request        1 ResourceLogs*     1 Resource { 1 KeyValue* }   2 ScopeLogs*
//   ScopeLogs      1 Scope { 1 name  2 version  3 KeyValue* }       2 LogRecord*
//   LogRecord      1 time (fixed64 ns)  2 severity  3 severity text  5 body  6 KeyValue*  7 dropped attributes
//                  8 flags (fixed32)  9 trace id  10 span id  11 observed time (fixed64 ns)  12 event name
//   KeyValue       1 key  2 AnyValue
//   AnyValue       1 string  2 bool  3 int64  4 double  5 array { 1 AnyValue* }  6 map { 1 KeyValue* }  7 bytes
//
// Bytes go straight from the one form to the other; no message becomes an object. Fields may come in any order and are
// found in two passes. Total: a record that is broken inside is rejected alone, all else that is broken is malformed.

import type { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { JSON_DEPTH_MAX } from '#shared/json/json-value.ts';
import { BYTES, FIXED32, FIXED64, ProtobufReader, VARINT } from './protobuf-reader.ts';
import { type OtlpLogs, type OtlpOptions, OtlpRecords } from './records.ts';

export function protobufLogs(body: Buffer, options: OtlpOptions): OtlpLogs {
  return new ProtobufWalk(body, options).request(body.length);
}

const EMPTY = Buffer.alloc(0);

class ProtobufWalk {
  readonly #reader: ProtobufReader;
  readonly #records: OtlpRecords;
  readonly #writerOfResource = (key: Buffer) => this.#records.resourceAttribute(key);
  readonly #writerOfScope = (key: Buffer) => this.#records.scopeAttribute(key);
  readonly #writerOfRecord = (key: Buffer) => this.#records.attribute(key);

  constructor(body: Buffer, options: OtlpOptions) {
    this.#reader = new ProtobufReader(body);
    this.#records = new OtlpRecords(body.length, options);
  }

  request(end: number): OtlpLogs {
    this.#reader.each(end, 1, (end) => this.#resourceLogs(end));
    const { fault } = this.#reader;
    return fault === null ? this.#records.done() : { kind: 'malformed', why: `its protobuf is ${fault}` };
  }

  #resourceLogs(end: number): void {
    const start = this.#reader.pos;
    this.#records.startResource();
    this.#reader.each(end, 1, (resourceEnd) => {
      this.#reader.each(resourceEnd, 1, (attributeEnd) => this.#attribute(attributeEnd, 1, this.#writerOfResource));
    });
    this.#reader.pos = start;
    this.#reader.each(end, 2, (scopeEnd) => this.#scopeLogs(scopeEnd));
  }

  #scopeLogs(end: number): void {
    const start = this.#reader.pos;
    this.#records.startScope();
    this.#reader.each(end, 1, (scopeEnd) => this.#scope(scopeEnd));
    this.#records.startRecords();
    this.#reader.pos = start;
    this.#reader.each(end, 2, (recordEnd) => {
      this.#records.startRecord();
      this.#record(recordEnd);
      const fault = this.#reader.takeFault();
      if (fault === null) {
        this.#records.endRecord();
      } else {
        this.#records.reject(`its protobuf is ${fault}`);
        this.#reader.pos = recordEnd;
      }
    });
  }

  #scope(end: number): void {
    const reader = this.#reader;
    const records = this.#records;
    while (reader.next(end)) {
      const { field, type } = reader;
      if (type !== BYTES || field > 3) reader.skip(end);
      else if (field === 1) records.scopeName().stringBytes(reader.bytes(end));
      else if (field === 2) records.scopeVersion().stringBytes(reader.bytes(end));
      else this.#attribute(reader.messageEnd(end), 1, this.#writerOfScope);
    }
  }

  #record(end: number): void {
    const reader = this.#reader;
    const records = this.#records;
    while (reader.next(end)) {
      const { field, type } = reader;
      if (type === BYTES) this.#recordBytes(field, end);
      else if (field === 1 && type === FIXED64) records.time(reader.fixed64());
      else if (field === 11 && type === FIXED64) records.observedTime(reader.fixed64());
      else if (field === 2 && type === VARINT) records.severityNumber(reader.int32());
      else if (field === 7 && type === VARINT) records.droppedAttributes(reader.uint32());
      else if (field === 8 && type === FIXED32) records.flags(reader.fixed32());
      else reader.skip(end);
    }
  }

  #recordBytes(field: number, end: number): void {
    const reader = this.#reader;
    const records = this.#records;
    switch (field) {
      case 3:
        return records.severityText(reader.bytes(end));
      case 5:
        return this.#value(reader.messageEnd(end), records.body(), 1);
      case 6:
        return this.#attribute(reader.messageEnd(end), 1, this.#writerOfRecord);
      case 9:
        return records.traceId(reader.bytes(end).toString('hex'));
      case 10:
        return records.spanId(reader.bytes(end).toString('hex'));
      case 12:
        return records.eventName(reader.bytes(end));
      default:
        return void reader.bytes(end);
    }
  }

  /** A KeyValue; `writerOf` writes its key. */
  #attribute(end: number, depth: number, writerOf: (key: Buffer) => MsgpackWriter): void {
    const reader = this.#reader;
    let key: Buffer = EMPTY;
    let valueAt = -1;
    let valueEnd = -1;
    while (reader.next(end)) {
      const { field, type } = reader;
      if (field === 1 && type === BYTES) {
        key = reader.bytes(end);
      } else if (field === 2 && type === BYTES) {
        valueEnd = reader.messageEnd(end);
        valueAt = reader.pos;
        reader.pos = valueEnd;
      } else {
        reader.skip(end);
      }
    }
    const writer = writerOf(key);
    if (valueAt < 0) {
      writer.nil();
      return;
    }
    reader.pos = valueAt;
    this.#value(valueEnd, writer, depth);
    reader.pos = end;
  }

  /** An AnyValue; of several values in it the last one counts. */
  #value(end: number, writer: MsgpackWriter, depth: number): void {
    const reader = this.#reader;
    if (depth > JSON_DEPTH_MAX) return reader.fail(`it nests deeper than ${JSON_DEPTH_MAX}`);
    const start = writer.length;
    while (reader.next(end)) {
      const { field, type } = reader;
      if (type === BYTES && (field === 1 || (field >= 5 && field <= 7))) {
        writer.truncate(start);
        this.#longValue(field, end, writer, depth);
      } else if (type === VARINT && field === 2) {
        writer.truncate(start);
        writer.boolean(reader.int64() !== 0n);
      } else if (type === VARINT && field === 3) {
        writer.truncate(start);
        writer.integer(reader.int64());
      } else if (type === FIXED64 && field === 4) {
        writer.truncate(start);
        writer.float(reader.double());
      } else {
        reader.skip(end);
      }
    }
    if (writer.length === start) writer.nil();
  }

  #longValue(field: number, end: number, writer: MsgpackWriter, depth: number): void {
    const reader = this.#reader;
    if (field === 1) {
      writer.stringBytes(reader.bytes(end));
    } else if (field === 7) {
      writer.binary(reader.bytes(end));
    } else if (field === 5) {
      const header = writer.openArray();
      const count = reader.each(reader.messageEnd(end), 1, (valueEnd) => this.#value(valueEnd, writer, depth + 1));
      writer.closeArray(header, count);
    } else {
      const header = writer.openMap();
      const writerOf = (key: Buffer) => {
        writer.stringBytes(key);
        return writer;
      };
      const count = reader.each(reader.messageEnd(end), 1, (pairEnd) => this.#attribute(pairEnd, depth + 1, writerOf));
      writer.closeMap(header, count);
    }
  }
}
