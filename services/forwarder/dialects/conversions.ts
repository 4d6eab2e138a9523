// Every way in which a whole body, or a large message, becomes entries, by name: so that one of them can be done here
// or in a thread of its own (accept/convert/converter.ts), which shares nothing but what is given and what comes back.
// Pure.

import { isMarkedAsUntransferable } from 'node:worker_threads';
import { type GelfConverted, gelfEntry } from '../decode/gelf/gelf-entries.ts';
import { type BodyFormat, bodyEntries } from '../decode/http/body-formats.ts';
import type { EntriesOptions, HttpEntries } from '../decode/http/http-entries.ts';
import { type Bulk, type BulkOptions, bulkItems } from './elasticsearch/bulk.ts';
import { jsonStreams } from './loki/json.ts';
import { protobufStreams } from './loki/protobuf.ts';
import { freeBuffer } from '#shared/memory/free-buffer.ts';
import { snappySize, unpackSnappy } from '#shared/record/snappy.ts';
import type { LokiOptions, LokiStreams } from './loki/streams.ts';
import { jsonLogs } from '#shared/otlp/json.ts';
import { protobufLogs } from '#shared/otlp/protobuf.ts';
import type { OtlpLogs, OtlpOptions } from '#shared/otlp/records.ts';
import { type HecEvents, type HecMetadata, type HecOptions, hecEvents, rawEvents } from './splunk/events.ts';

export const conversions = {
  body: (body: Buffer, { format, ...options }: EntriesOptions & { readonly format: BodyFormat }): HttpEntries =>
    bodyEntries(body, format, options),
  bulk: (body: Buffer, options: BulkOptions): Bulk => bulkItems(body, options),
  gelf: (body: Buffer, _options: null): GelfConverted => gelfEntry(body),
  hec: (body: Buffer, options: HecOptions): HecEvents => hecEvents(body, options),
  hecRaw: (body: Buffer, { metadata, ...options }: HecOptions & { readonly metadata: HecMetadata }): HecEvents =>
    rawEvents(body, metadata, options),
  lokiJson: (body: Buffer, options: LokiOptions, bodyRead?: BodyRead): LokiStreams =>
    jsonStreams(body, options, bodyRead),
  lokiProtobuf: (body: Buffer, options: LokiOptions, bodyRead?: BodyRead): LokiStreams | PackedBadly => {
    const unpacked = unpackSnappy(body, options.bytesMax);
    if (unpacked.kind !== 'bytes') {
      return { kind: 'packed_badly', why: unpacked.kind === 'malformed' ? unpacked.why : null };
    }
    bodyRead?.();
    try {
      return protobufStreams(unpacked.bytes, options);
    } finally {
      freeBuffer(unpacked.bytes);
    }
  },
  otlpJson: (body: Buffer, options: OtlpOptions, bodyRead?: BodyRead): OtlpLogs => jsonLogs(body, options, bodyRead),
  otlpProtobuf: (body: Buffer, options: OtlpOptions): OtlpLogs => protobufLogs(body, options),
};

/**
 * Called when the body is of no more use, where what it is made before its entries is as large: its memory may be given
 * back then.
 */
type BodyRead = () => void;

/** `why` is null where it is only too large. */
interface PackedBadly {
  readonly kind: 'packed_badly';
  readonly why: string | null;
}

/**
 * Those of whose bodies all events may share what is said once: attributes of a resource, labels of a stream, what a
 * URL names. A few kilobytes become megabytes where there are many small events. All have the option `bytesMax`.
 */
const SHARING = ['otlpJson', 'otlpProtobuf', 'lokiJson', 'lokiProtobuf', 'hecRaw'] as const;

export function sharesPairs(name: ConversionName, options: object | null): options is { readonly bytesMax: number } {
  return options !== null && 'bytesMax' in options && (SHARING as readonly string[]).includes(name);
}

type Conversions = typeof conversions;
export type ConversionName = keyof Conversions;
export type ConversionOptions<N extends ConversionName> = Parameters<Conversions[N]>[1];
export type Converted<N extends ConversionName> = ReturnType<Conversions[N]>;

/** What there is to convert: of a packed body the bytes that it says are in it, which may be twenty times as many. */
export function unpackedBytes(name: ConversionName, body: Buffer): number {
  return name === 'lokiProtobuf' ? Math.max(body.length, snappySize(body) ?? 0) : body.length;
}

/** Events, or items of which each may be one. */
export function countOf(converted: Converted<ConversionName>): number {
  if ('count' in converted) return converted.count;
  return 'table' in converted ? converted.table.operations.length : 0;
}

/**
 * What a byte costs of the event loop's time, as part of the costliest that is known: OTLP in JSON, 0.15 to 0.23 µs.
 */
const COST: Readonly<Record<ConversionName, number>> = {
  otlpJson: 1,
  lokiJson: 7 / 8,
  lokiProtobuf: 3 / 4,
  gelf: 3 / 4,
  hec: 5 / 8,
  hecRaw: 5 / 8,
  // Of msgpack; JSON costs a third of that.
  body: 1 / 2,
  otlpProtobuf: 1 / 2,
  // Its documents are counted as they go on.
  bulk: 1 / 4,
};

/** What the conversion of so many bytes costs, in bytes of the costliest. */
export function costOf(name: ConversionName, bytes: number): number {
  return bytes * COST[name];
}

/** The buffers of what a conversion gave: its memory, and what can be moved to another thread. */
export function buffersOf(converted: unknown, found: Set<ArrayBuffer> = new Set()): Set<ArrayBuffer> {
  if (ArrayBuffer.isView(converted)) {
    if (isOwn(converted.buffer)) found.add(converted.buffer);
  } else if (typeof converted === 'object' && converted !== null) {
    for (const value of Object.values(converted)) if (typeof value === 'object') buffersOf(value, found);
  }
  return found;
}

/**
 * Whether bytes have this buffer to themselves. Those of a short text share the pool's, and an empty one has no owner.
 */
export function isOwn(buffer: ArrayBufferLike): buffer is ArrayBuffer {
  return buffer instanceof ArrayBuffer && !isMarkedAsUntransferable(buffer) && buffer.byteLength > 0;
}
