// Loki's push request in protobuf to entries (logproto.PushRequest).
//
//   request    1 Stream { 1 labels (text)  2 Entry* }*
//   Entry      1 Timestamp { 1 seconds  2 nanos }   2 line   3 LabelPair { 1 name  2 value }*

import { WireType } from '@bufbuild/protobuf/wire';
import { reasonOf } from '#shared/errors.ts';
import { eventTimeOfNs } from '../../decode/event-time.ts';
import { ProtobufReader } from '../protobuf-reader.ts';
import { parseLabels } from './labels.ts';
import { type LokiOptions, LokiRecords, type LokiStreams } from './streams.ts';

export function protobufStreams(body: Buffer, options: LokiOptions): LokiStreams {
  const walk = new StreamWalk(body, options);
  try {
    return walk.request(body.length);
  } catch (error) {
    return { kind: 'malformed', why: `its protobuf is wrong at byte ${walk.at}: ${reasonOf(error)}` };
  }
}

const EMPTY = Buffer.alloc(0);

/** Its methods throw at what is no push request. */
class StreamWalk {
  readonly #reader: ProtobufReader;
  readonly #records: LokiRecords;

  constructor(body: Buffer, options: LokiOptions) {
    this.#reader = new ProtobufReader(body);
    this.#records = new LokiRecords(body.length, options);
  }

  get at(): number {
    return this.#reader.at;
  }

  request(end: number): LokiStreams {
    this.#reader.each(end, 1, (streamEnd) => this.#stream(streamEnd));
    return this.#records.done();
  }

  #stream(end: number): void {
    const reader = this.#reader;
    const start = reader.wire.pos;
    let text = '{}';
    // Its fields may come in any order.
    reader.each(end, 1, (labelsEnd) => {
      text = reader.rest(labelsEnd).toString();
    });
    const labels = parseLabels(text);
    if (typeof labels === 'string') throw new RangeError(labels);
    this.#records.beginStream(labels);
    reader.wire.pos = start;
    reader.each(end, 2, (entryEnd) => this.#entry(entryEnd));
  }

  #entry(end: number): void {
    const reader = this.#reader;
    const { wire } = reader;
    let ns = 0n;
    let line: Buffer = EMPTY;
    this.#records.beginEntry();
    while (wire.pos < end) {
      const [field, type] = wire.tag();
      if (type !== WireType.LengthDelimited) wire.skip(type, field);
      else if (field === 1) ns = this.#timestamp(reader.messageEnd(end));
      else if (field === 2) line = reader.bytes(end);
      else if (field === 3) this.#metadata(reader.messageEnd(end));
      else reader.bytes(end);
    }
    reader.finish(end);
    const time = eventTimeOfNs(ns);
    if (!time) throw new RangeError('the time of an entry is before 1970');
    this.#records.endEntry(time, line);
  }

  #timestamp(end: number): bigint {
    const { wire } = this.#reader;
    let seconds = 0n;
    let nanos = 0;
    while (wire.pos < end) {
      const [field, type] = wire.tag();
      if (field === 1 && type === WireType.Varint) seconds = BigInt(wire.int64());
      else if (field === 2 && type === WireType.Varint) nanos = wire.int32();
      else wire.skip(type, field);
    }
    this.#reader.finish(end);
    return seconds * 1_000_000_000n + BigInt(nanos);
  }

  #metadata(end: number): void {
    const reader = this.#reader;
    const { wire } = reader;
    let name: Buffer = EMPTY;
    let value: Buffer = EMPTY;
    while (wire.pos < end) {
      const [field, type] = wire.tag();
      if (type !== WireType.LengthDelimited) wire.skip(type, field);
      else if (field === 1) name = reader.bytes(end);
      else if (field === 2) value = reader.bytes(end);
      else reader.bytes(end);
    }
    reader.finish(end);
    this.#records.metadata(name, value);
  }
}
