// ExportLogsServiceRequest in protobuf to entries (opentelemetry/proto/collector/logs/v1/logs_service.proto, logs/v1/logs.proto).
//
//   request        1 ResourceLogs*     1 Resource { 1 KeyValue* }   2 ScopeLogs*
//   ScopeLogs      1 Scope { 1 name  2 version  3 KeyValue* }       2 LogRecord*
//   LogRecord      1 time (fixed64 ns)  2 severity  3 severity text  5 body  6 KeyValue*  7 dropped attributes
//                  8 flags (fixed32)  9 trace id  10 span id  11 observed time (fixed64 ns)  12 event name
//   KeyValue       1 key  2 AnyValue
//   AnyValue       1 string  2 bool  3 int64  4 double  5 array { 1 AnyValue* }  6 map { 1 KeyValue* }  7 bytes
//
// Bytes go straight from the one form to the other; no message becomes an object. Fields may come in any order and are found in
// two passes. Total: a record that is broken inside is rejected alone, all else that is broken is malformed.

import { WireType } from '@bufbuild/protobuf/wire';
import type { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { JSON_DEPTH_MAX } from '../../decode/json-value.ts';
import { reasonOf } from '#shared/errors.ts';
import { ProtobufReader } from '../protobuf-reader.ts';
import { type OtlpLogs, type OtlpOptions, OtlpRecords } from './records.ts';

export function protobufLogs(body: Buffer, options: OtlpOptions): OtlpLogs {
  const walk = new ProtobufWalk(body, options);
  try {
    return walk.request(body.length);
  } catch (error) {
    return { kind: 'malformed', why: `its protobuf is wrong at byte ${walk.at}: ${reasonOf(error)}` };
  }
}

const EMPTY = Buffer.alloc(0);

/** Its methods throw at what is no protobuf. */
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

  get at(): number {
    return this.#reader.at;
  }

  request(end: number): OtlpLogs {
    this.#reader.each(end, 1, (end) => this.#resourceLogs(end));
    return this.#records.done();
  }

  #resourceLogs(end: number): void {
    const start = this.#reader.wire.pos;
    this.#records.beginResource();
    this.#reader.each(end, 1, (resourceEnd) => {
      this.#reader.each(resourceEnd, 1, (attributeEnd) => this.#attribute(attributeEnd, 1, this.#writerOfResource));
    });
    this.#reader.wire.pos = start;
    this.#reader.each(end, 2, (scopeEnd) => this.#scopeLogs(scopeEnd));
  }

  #scopeLogs(end: number): void {
    const start = this.#reader.wire.pos;
    this.#records.beginScope();
    this.#reader.each(end, 1, (scopeEnd) => this.#scope(scopeEnd));
    this.#records.beginRecords();
    this.#reader.wire.pos = start;
    this.#reader.each(end, 2, (recordEnd) => {
      this.#records.beginRecord();
      try {
        this.#record(recordEnd);
        this.#records.endRecord();
      } catch (error) {
        this.#records.reject(`its protobuf is wrong at byte ${this.at}: ${reasonOf(error)}`);
        this.#reader.wire.pos = recordEnd;
      }
    });
  }

  #scope(end: number): void {
    const reader = this.#reader;
    const { wire } = reader;
    const records = this.#records;
    while (wire.pos < end) {
      const [field, type] = wire.tag();
      if (type !== WireType.LengthDelimited) wire.skip(type, field);
      else if (field === 1) records.scopeName().stringBytes(reader.bytes(end));
      else if (field === 2) records.scopeVersion().stringBytes(reader.bytes(end));
      else if (field === 3) this.#attribute(reader.messageEnd(end), 1, this.#writerOfScope);
      else wire.skip(type, field);
    }
    reader.finish(end);
  }

  #record(end: number): void {
    const reader = this.#reader;
    const { wire } = reader;
    const records = this.#records;
    while (wire.pos < end) {
      const [field, type] = wire.tag();
      if (type === WireType.LengthDelimited) this.#recordBytes(field, end);
      else if (field === 1 && type === WireType.Bit64) records.time(BigInt(wire.fixed64()));
      else if (field === 11 && type === WireType.Bit64) records.observedTime(BigInt(wire.fixed64()));
      else if (field === 2 && type === WireType.Varint) records.severityNumber(wire.int32());
      else if (field === 7 && type === WireType.Varint) records.droppedAttributes(wire.uint32());
      else if (field === 8 && type === WireType.Bit32) records.flags(wire.fixed32());
      else wire.skip(type, field);
    }
    reader.finish(end);
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
    const { wire } = reader;
    let key: Buffer = EMPTY;
    let valueAt = -1;
    let valueEnd = -1;
    while (wire.pos < end) {
      const [field, type] = wire.tag();
      if (field === 1 && type === WireType.LengthDelimited) {
        key = reader.bytes(end);
      } else if (field === 2 && type === WireType.LengthDelimited) {
        valueEnd = reader.messageEnd(end);
        valueAt = wire.pos;
        wire.pos = valueEnd;
      } else {
        wire.skip(type, field);
      }
    }
    reader.finish(end);
    const writer = writerOf(key);
    if (valueAt < 0) {
      writer.nil();
      return;
    }
    wire.pos = valueAt;
    this.#value(valueEnd, writer, depth);
    wire.pos = end;
  }

  /** An AnyValue; of several values in it the last one counts. */
  #value(end: number, writer: MsgpackWriter, depth: number): void {
    if (depth > JSON_DEPTH_MAX) throw new RangeError(`it nests deeper than ${JSON_DEPTH_MAX}`);
    const reader = this.#reader;
    const { wire } = reader;
    const start = writer.length;
    while (wire.pos < end) {
      const [field, type] = wire.tag();
      if (type === WireType.LengthDelimited && (field === 1 || (field >= 5 && field <= 7))) {
        writer.truncate(start);
        this.#longValue(field, end, writer, depth);
      } else if (type === WireType.Varint && field === 2) {
        writer.truncate(start);
        writer.boolean(wire.bool());
      } else if (type === WireType.Varint && field === 3) {
        writer.truncate(start);
        writer.integer(BigInt(wire.int64()));
      } else if (type === WireType.Bit64 && field === 4) {
        writer.truncate(start);
        writer.float(wire.double());
      } else {
        wire.skip(type, field);
      }
    }
    reader.finish(end);
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
