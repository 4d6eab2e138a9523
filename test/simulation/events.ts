// What senders send: numbered events, so that each is found again wherever it comes to lie, in chunks of entries. A
// chunk keeps its bytes, for a sender that repeats it sends the same again.

import { gzipSync, zstdCompressSync } from 'node:zlib';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';

/** A line that Docker cut: its parts are events, each acked on its own. */
export interface Line {
  readonly id: string;
  readonly parts: SimEvent[];
}

/** A stack trace: its lines are events. */
export interface Trace {
  readonly lines: SimEvent[];
}

export interface SimEvent {
  readonly number: number;
  /** Of the log line; has "event <number> " in it, and begins with that but for lines of traces. */
  readonly text: string;
  readonly chunk: SimChunk;
  /** The store never takes it. */
  readonly isPoison: boolean;
  /** No queue takes it. */
  readonly isHuge: boolean;
  readonly line: Line | null;
  readonly trace: Trace | null;
}

export interface SimChunk {
  /** As its sender calls it: "<sender>.<number>;" */
  readonly name: string;
  readonly sender: string;
  readonly tag: string;
  readonly hasId: boolean;
  readonly events: SimEvent[];
  /** Of its events, ms since the epoch, by its sender's clock; a sender may know none. */
  readonly timeMs: number;
  /** How often its sender began to send it, and from which addresses. */
  sends: number;
  readonly addresses: Set<string>;
  acked: boolean;
}

/** Finds events in any bytes. */
export function numbersIn(text: string): number[] {
  const numbers: number[] = [];
  for (let at = text.indexOf('event '); at >= 0; at = text.indexOf('event ', at + 6)) {
    let number = 0;
    let end = at + 6;
    for (let digit = text.charCodeAt(end) - 48; digit >= 0 && digit <= 9; digit = text.charCodeAt(end) - 48) {
      number = number * 10 + digit;
      end++;
    }
    if (end > at + 6 && text.charCodeAt(end) === 0x20) numbers.push(number);
  }
  return numbers;
}

const writer = new MsgpackWriter();

function writeEntry(event: SimEvent): void {
  const { timeMs } = event.chunk;
  writer.eventTime(Math.floor(timeMs / 1000), (timeMs % 1000) * 1_000_000 + event.number);
  const { line } = event;
  const fields: [string, string][] = [
    ['log', event.text],
    ['container_name', `/${event.chunk.sender}`],
  ];
  if (line !== null) {
    const ordinal = line.parts.indexOf(event) + 1;
    fields.push(
      ['container_id', 'c0ffee'],
      ['partial_message', 'true'],
      ['partial_id', line.id],
      ['partial_ordinal', String(ordinal)],
      ['partial_last', String(ordinal === line.parts.length)],
    );
  }
  writer.mapHeader(fields.length);
  for (const [name, value] of fields) {
    writer.string(name);
    writer.string(value);
  }
}

/** The run of entries of a chunk. */
export function entriesOf(chunk: SimChunk): Buffer {
  writer.reset();
  for (const event of chunk.events) {
    writer.arrayHeader(2);
    writeEntry(event);
  }
  return writer.take();
}

export type ForwardMode = 'message' | 'forward' | 'packed' | 'gzip' | 'zstd';

/** The chunk as a frame of the Forward protocol; in message mode it has one event. */
export function frameOf(chunk: SimChunk, mode: ForwardMode): Buffer {
  const isCompressed = mode === 'gzip' || mode === 'zstd';
  const options = (chunk.hasId ? 1 : 0) + (isCompressed ? 1 : 0);
  const entries = mode === 'packed' || isCompressed ? entriesOf(chunk) : null;
  writer.reset();
  writer.arrayHeader((mode === 'message' ? 3 : 2) + (options > 0 ? 1 : 0));
  writer.string(chunk.tag);
  if (entries !== null) {
    writer.binary(mode === 'gzip' ? gzipSync(entries) : mode === 'zstd' ? zstdCompressSync(entries) : entries);
  } else if (mode === 'forward') {
    writer.arrayHeader(chunk.events.length);
    for (const event of chunk.events) {
      writer.arrayHeader(2);
      writeEntry(event);
    }
  } else {
    const [only] = chunk.events;
    if (only) writeEntry(only);
  }
  if (options === 0) return writer.take();
  writer.mapHeader(options);
  if (chunk.hasId) {
    writer.string('chunk');
    writer.string(chunk.name);
  }
  if (isCompressed) {
    writer.string('compressed');
    writer.string(mode);
  }
  return writer.take();
}
