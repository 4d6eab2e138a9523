// Loki's push request in protobuf to entries (logproto.PushRequest).
//
//   request    1 Stream { 1 labels (text)  2 Entry* }*
//   Entry      1 Timestamp { 1 seconds  2 nanos }   2 line   3 LabelPair { 1 name  2 value }*

import { eventTimeOfNs } from '#shared/record/event-time.ts';
import { BYTES, ProtobufReader, VARINT } from '#shared/otlp/protobuf-reader.ts';
import { parseLabels } from './labels.ts';
import { type LokiOptions, LokiEntries, type LokiStreams } from './streams.ts';

export function protobufStreams(body: Buffer, options: LokiOptions): LokiStreams {
  return new StreamWalk(body, options).request(body.length);
}

const EMPTY = Buffer.alloc(0);

class StreamWalk {
  readonly #reader: ProtobufReader;
  readonly #records: LokiEntries;

  constructor(body: Buffer, options: LokiOptions) {
    this.#reader = new ProtobufReader(body);
    this.#records = new LokiEntries(body.length, options);
  }

  request(end: number): LokiStreams {
    this.#reader.each(end, 1, (streamEnd) => this.#stream(streamEnd));
    const { fault } = this.#reader;
    return fault === null ? this.#records.done() : { kind: 'malformed', why: `its protobuf is ${fault}` };
  }

  #stream(end: number): void {
    const reader = this.#reader;
    const start = reader.pos;
    let text = '{}';
    // Its fields may come in any order.
    reader.each(end, 1, (labelsEnd) => {
      text = reader.rest(labelsEnd).toString();
    });
    const labels = parseLabels(text);
    if (typeof labels === 'string') return reader.fail(labels);
    this.#records.startStream(labels);
    reader.pos = start;
    reader.each(end, 2, (entryEnd) => this.#entry(entryEnd));
  }

  #entry(end: number): void {
    const reader = this.#reader;
    let ns = 0n;
    let line: Buffer = EMPTY;
    this.#records.startEntry();
    while (reader.next(end)) {
      const { field, type } = reader;
      if (type !== BYTES || field > 3) reader.skip(end);
      else if (field === 1) ns = this.#timestamp(reader.messageEnd(end));
      else if (field === 2) line = reader.bytes(end);
      else this.#metadata(reader.messageEnd(end));
    }
    const time = eventTimeOfNs(ns);
    if (!time) return reader.fail('the time of an entry is before 1970');
    this.#records.endEntry(time, line);
  }

  #timestamp(end: number): bigint {
    const reader = this.#reader;
    let seconds = 0n;
    let nanos = 0;
    while (reader.next(end)) {
      const { field, type } = reader;
      if (field === 1 && type === VARINT) seconds = reader.int64();
      else if (field === 2 && type === VARINT) nanos = reader.int32();
      else reader.skip(end);
    }
    return seconds * 1_000_000_000n + BigInt(nanos);
  }

  #metadata(end: number): void {
    const reader = this.#reader;
    let name: Buffer = EMPTY;
    let value: Buffer = EMPTY;
    while (reader.next(end)) {
      const { field, type } = reader;
      if (type === BYTES && field === 1) name = reader.bytes(end);
      else if (type === BYTES && field === 2) value = reader.bytes(end);
      else reader.skip(end);
    }
    this.#records.metadata(name, value);
  }
}
