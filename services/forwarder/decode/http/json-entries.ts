// A JSON body to entries `[EventTime, record]`: an object, an array of objects (or of `[time, object]`), or such values
// one after another.
//
//   92 d7 00 <seconds> <nanoseconds> <map>
//
// As in fluentd's in_http a record's `time`, a number of seconds since the epoch, is the entry's time and leaves the
// record. A `time` that is no such number (text, milliseconds) stays in the record, so nothing of it is lost.

import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { type EventTime, eventTimeOfText } from '#shared/record/event-time.ts';
import { eventsMaxOf, refuseExcess } from '#shared/record/event-limit.ts';
import type { EntriesOptions, HttpEntries } from './http-entries.ts';
import { JsonReader, type PairExtractor } from '#shared/json/json-value.ts';

const OPEN_OBJECT = 0x7b;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const COMMA = 0x2c;
const TIME_KEY = Buffer.from('"time"');
/** Bytes of the entry before its EventTime: the array's header and the ext's. */
const SECONDS_AT = 3;
const NANOSECONDS_AT = 7;
const BYTE_ORDER_MARK = Buffer.from('\ufeff');

export interface JsonEntriesOptions extends EntriesOptions {
  /** Whether more values may follow the first one. */
  readonly many: boolean;
}

export function jsonEntries(body: Uint8Array, options: JsonEntriesOptions): HttpEntries {
  const entries = new JsonEntries(body, options);
  const start = BYTE_ORDER_MARK.every((byte, i) => body[i] === byte) ? BYTE_ORDER_MARK.length : 0;
  entries.setRange(start, body.length);
  do {
    const result = entries.next() === OPEN_ARRAY ? entries.array() : entries.object();
    if (result) return result;
  } while (options.many && entries.next() >= 0);
  if (entries.next() >= 0) {
    return entries.malformed('there is more after the value (one object a line is application/x-ndjson)');
  }
  return entries.done();
}

/** Collects the entries of one body. Its methods return null while all is well, else what the body's answer is. */
export class JsonEntries implements PairExtractor {
  readonly #body: Uint8Array;
  readonly #options: EntriesOptions;
  readonly #writer: MsgpackWriter;
  readonly #reader: JsonReader;
  #time: EventTime | null = null;
  #count = 0;
  readonly #countMax: number;

  constructor(body: Uint8Array, options: EntriesOptions) {
    this.#body = body;
    this.#options = options;
    this.#writer = new MsgpackWriter(body.length + 64);
    this.#reader = new JsonReader(this.#writer, options.bytesMax);
    this.#countMax = eventsMaxOf(body.length);
  }

  setRange(start: number, end: number): void {
    this.#reader.setText(this.#body, start, end);
  }

  /** The next byte that is no white space, or -1. */
  next(): number {
    return this.#reader.skipSpace();
  }

  object(): HttpEntries | null {
    const reader = this.#reader;
    const writer = this.#writer;
    if (this.next() !== OPEN_OBJECT) return this.malformed('a record has to be an object');
    const entryAt = writer.length;
    const { time, takeTime } = this.#options;
    writer.arrayHeader(2);
    writer.eventTime(time.seconds, time.nanoseconds);
    this.#time = null;
    if (!reader.object(0, takeTime ? this : undefined)) return this.#problem();
    if (this.#time) this.#setTime(entryAt, this.#time);
    return this.#counted();
  }

  array(): HttpEntries | null {
    const reader = this.#reader;
    reader.skipByte();
    if (this.next() === CLOSE_ARRAY) {
      reader.skipByte();
      return null;
    }
    for (;;) {
      const refusal = this.next() === OPEN_ARRAY ? this.#pair() : this.object();
      if (refusal) return refusal;
      const byte = this.next();
      if (byte !== COMMA && byte !== CLOSE_ARRAY) return this.malformed('a comma or the end of the array is missing');
      reader.skipByte();
      if (byte === CLOSE_ARRAY) return null;
    }
  }

  done(): HttpEntries {
    return { kind: 'entries', bytes: this.#writer.view(), count: this.#count };
  }

  malformed(why: string): HttpEntries {
    const { at } = this.#reader;
    return { kind: 'malformed', at, why: at >= this.#body.length ? `it ends where ${why}` : why };
  }

  extracts(bytes: Buffer, keyAt: number, keyEnd: number, valueAt: number, valueEnd: number): boolean {
    if (keyEnd - keyAt !== TIME_KEY.length || this.#time) return false;
    for (let i = 1; i < TIME_KEY.length; i += 1) if (bytes[keyAt + i] !== TIME_KEY[i]) return false;
    this.#time = eventTimeOfText(bytes, valueAt, valueEnd);
    return this.#time !== null;
  }

  /** `[time, object]`. */
  #pair(): HttpEntries | null {
    const reader = this.#reader;
    const writer = this.#writer;
    reader.skipByte();
    this.next();
    const timeAt = reader.at;
    const mark = writer.length;
    if (!reader.value()) return this.#problem();
    const time = eventTimeOfText(this.#body, timeAt, reader.at);
    if (!time)
      return { kind: 'malformed', at: timeAt, why: 'the time of an entry has to be a number of seconds since 1970' };
    if (this.next() !== COMMA) return this.malformed('a comma and the record are missing after the time');
    reader.skipByte();
    if (this.next() !== OPEN_OBJECT) return this.malformed('a record has to be an object');
    writer.truncate(mark);
    writer.arrayHeader(2);
    writer.eventTime(time.seconds, time.nanoseconds);
    if (!reader.object(0)) return this.#problem();
    if (this.next() !== CLOSE_ARRAY) return this.malformed('the end of the entry is missing');
    reader.skipByte();
    return this.#counted();
  }

  #counted(): HttpEntries | null {
    this.#count += 1;
    if (this.#count > this.#countMax) refuseExcess({ count: this.#count, bytes: this.#body.length });
    return this.#writer.length > this.#options.bytesMax ? { kind: 'too_large' } : null;
  }

  #problem(): HttpEntries {
    const { at, why, isTooLarge } = this.#reader.problem;
    return isTooLarge ? { kind: 'too_large' } : { kind: 'malformed', at, why };
  }

  #setTime(entryAt: number, time: EventTime): void {
    const view = this.#writer.view();
    view.writeUInt32BE(time.seconds, entryAt + SECONDS_AT);
    view.writeUInt32BE(time.nanoseconds, entryAt + NANOSECONDS_AT);
  }
}
