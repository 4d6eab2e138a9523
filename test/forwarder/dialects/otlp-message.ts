// An ExportLogsServiceRequest for tests, and its protobuf (the JSON encoding is the object itself). Written apart from
// the code under test, after opentelemetry/proto/logs/v1/logs.proto.

import { BinaryWriter } from '@bufbuild/protobuf/wire';

export type AnyValue =
  | { stringValue: string }
  | { boolValue: boolean }
  | { intValue: string }
  | { doubleValue: number }
  | { bytesValue: string }
  | { arrayValue: { values: AnyValue[] } }
  | { kvlistValue: { values: KeyValue[] } }
  | Record<string, never>;

interface KeyValue {
  key: string;
  value?: AnyValue;
}

export interface LogRecord {
  timeUnixNano?: string;
  observedTimeUnixNano?: string;
  severityNumber?: number;
  severityText?: string;
  body?: AnyValue;
  attributes?: KeyValue[];
  droppedAttributesCount?: number;
  flags?: number;
  traceId?: string;
  spanId?: string;
  eventName?: string;
}

export interface Request {
  resourceLogs: {
    resource?: { attributes: KeyValue[] };
    scopeLogs: { scope?: { name?: string; version?: string; attributes?: KeyValue[] }; logRecords: LogRecord[] }[];
  }[];
}

export function protobufOf({ resourceLogs }: Request): Buffer {
  const request = new BinaryWriter();
  for (const { resource, scopeLogs } of resourceLogs) {
    request.uint32(0x0a).fork();
    // Behind what it is about: fields may come in any order.
    for (const { scope, logRecords } of scopeLogs) {
      request.uint32(0x12).fork();
      for (const record of logRecords) writeRecord(request.uint32(0x12).fork(), record).join();
      if (scope) {
        request.uint32(0x0a).fork();
        if (scope.name !== undefined) request.uint32(0x0a).string(scope.name);
        if (scope.version !== undefined) request.uint32(0x12).string(scope.version);
        writePairs(request, 0x1a, scope.attributes ?? []);
        request.join();
      }
      request.join();
    }
    if (resource) {
      request.uint32(0x0a).fork();
      writePairs(request, 0x0a, resource.attributes);
      request.join();
    }
    request.join();
  }
  return Buffer.from(request.finish());
}

function writeRecord(writer: BinaryWriter, record: LogRecord): BinaryWriter {
  if (record.timeUnixNano !== undefined) writer.uint32(0x09).fixed64(record.timeUnixNano);
  if (record.severityNumber !== undefined) writer.uint32(0x10).int32(record.severityNumber);
  if (record.severityText !== undefined) writer.uint32(0x1a).string(record.severityText);
  if (record.body) writeValue(writer.uint32(0x2a).fork(), record.body).join();
  writePairs(writer, 0x32, record.attributes ?? []);
  if (record.droppedAttributesCount !== undefined) writer.uint32(0x38).uint32(record.droppedAttributesCount);
  if (record.flags !== undefined) writer.uint32(0x45).fixed32(record.flags);
  if (record.traceId !== undefined) writer.uint32(0x4a).bytes(Buffer.from(record.traceId, 'hex'));
  if (record.spanId !== undefined) writer.uint32(0x52).bytes(Buffer.from(record.spanId, 'hex'));
  if (record.observedTimeUnixNano !== undefined) writer.uint32(0x59).fixed64(record.observedTimeUnixNano);
  if (record.eventName !== undefined) writer.uint32(0x62).string(record.eventName);
  return writer;
}

function writePairs(writer: BinaryWriter, tag: number, pairs: readonly KeyValue[]): void {
  for (const { key, value } of pairs) {
    writer.uint32(tag).fork().uint32(0x0a).string(key);
    if (value) writeValue(writer.uint32(0x12).fork(), value).join();
    writer.join();
  }
}

function writeValue(writer: BinaryWriter, value: AnyValue): BinaryWriter {
  if ('stringValue' in value) return writer.uint32(0x0a).string(value.stringValue ?? '');
  if ('boolValue' in value) return writer.uint32(0x10).bool(value.boolValue ?? false);
  if ('intValue' in value) return writer.uint32(0x18).int64(value.intValue ?? '');
  if ('doubleValue' in value) return writer.uint32(0x21).double(value.doubleValue ?? 0);
  if ('bytesValue' in value) return writer.uint32(0x3a).bytes(Buffer.from(value.bytesValue ?? '', 'base64'));
  if ('arrayValue' in value) {
    writer.uint32(0x2a).fork();
    for (const element of value.arrayValue?.values ?? []) writeValue(writer.uint32(0x0a).fork(), element).join();
    return writer.join();
  }
  if ('kvlistValue' in value) {
    writePairs(writer.uint32(0x32).fork(), 0x0a, value.kvlistValue?.values ?? []);
    return writer.join();
  }
  return writer;
}
