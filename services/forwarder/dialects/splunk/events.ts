// Bodies of Splunk's HTTP Event Collector to entries
// (https://docs.splunk.com/Documentation/Splunk/latest/Data/FormateventsforHTTPEventCollector).
//
//   event   {"time":1426279439.123,"host":"h","source":"s","sourcetype":"t","index":"i","fields":{…},"event":…}{…} {…}
//           one after another, with white space between them or without
//   raw     a line is an event; host, source, sourcetype, index come with the URL
//
// `time` is the entry's time. A text is the message; an object's pairs are the event's own; what is beside the event
// becomes host.name, splunk.source, splunk.sourcetype, splunk.index, and the fields under their names. Docker's driver
// sends {"line":…,"source":"stdout",…}: its line is the message. A time that is no seconds since 1970 stays as
// splunk.time. A body is taken whole or not at all.

import { isMap } from '#shared/msgpack/extents.ts';
import { MsgpackReader } from '#shared/msgpack/reader.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { type EventTime, eventTimeOfText } from '#shared/record/event-time.ts';
import { JsonReader, type PairExtractor } from '#shared/json/json-value.ts';
import { EntryBuilder, Pairs, keyOf } from '#shared/otlp/entry-builder.ts';
import { ResourceFields } from '#shared/otlp/resource-fields.ts';
import type { HecCode } from './answers.ts';

export type HecEvents =
  | { readonly kind: 'events'; readonly entries: Uint8Array; readonly count: number }
  /** `event`: its number, from 0; `at`: offset in bytes. */
  | {
      readonly kind: 'malformed';
      readonly code: HecCode;
      readonly event: number;
      readonly at: number;
      readonly why: string;
    }
  | { readonly kind: 'too_large' };

export interface HecOptions {
  /** Time of the events that have none. */
  readonly time: EventTime;
  /** Most bytes of the entries. */
  readonly bytesMax: number;
}

/** What a raw body's URL says about its events; empty for nothing. */
export interface HecMetadata {
  readonly host: string;
  readonly source: string;
  readonly sourcetype: string;
  readonly index: string;
}

const OPEN_OBJECT = 0x7b;
const QUOTE = 0x22;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const NIL = 0xc0;
const NO_BYTES = Buffer.alloc(0);
const EMPTY_STRING = 0xa0;

const LOG = keyOf('log');
const TIME = Buffer.from('"time"');
const LINE = Buffer.from('line');
/** With one of these keys an event has a message of its own, and a `line` is something else. */
const MESSAGES = ['log', 'message', 'msg'].map((name) => Buffer.from(name));
/** Keys of the envelope → keys of the record. */
const BESIDE: ReadonlyMap<string, Buffer> = new Map([
  ['host', keyOf('host.name')],
  ['source', keyOf('splunk.source')],
  ['sourcetype', keyOf('splunk.sourcetype')],
  ['index', keyOf('splunk.index')],
]);

export function hecEvents(body: Buffer, options: HecOptions): HecEvents {
  return new EnvelopeWalk(body, options).events();
}

export function rawEvents(body: Buffer, metadata: HecMetadata, { time, bytesMax }: HecOptions): HecEvents {
  const entries = new EntryBuilder(body.length + 1024, bytesMax, Infinity, body.length);
  const beside = new Pairs();
  for (const [name, key] of BESIDE) {
    const value = metadata[name as keyof HecMetadata];
    if (value !== '') beside.key(key).string(value);
  }
  const line = new Pairs();
  let start = 0;
  while (start < body.length) {
    const feed = body.indexOf(LINE_FEED, start);
    const next = feed < 0 ? body.length : feed;
    const end = next > start && body[next - 1] === CARRIAGE_RETURN ? next - 1 : next;
    if (end > start) {
      line.reset();
      line.key(LOG).stringBytes(body, start, end);
      entries.add(time, beside, line);
    }
    start = next + 1;
  }
  return eventsOf(entries);
}

function eventsOf(entries: EntryBuilder): HecEvents {
  if (entries.tooLarge) return { kind: 'too_large' };
  if (entries.count > 0) return { kind: 'events', entries: entries.bytes, count: entries.count };
  return { kind: 'malformed', code: 'no_data', event: 0, at: 0, why: 'there is no event in it' };
}

class EnvelopeWalk implements PairExtractor {
  readonly #body: Buffer;
  readonly #defaultTime: EventTime;
  readonly #entries: EntryBuilder;
  /** The envelope in hand, as msgpack; its time is taken out. */
  readonly #envelope = new MsgpackWriter();
  readonly #reader: JsonReader;
  readonly #resource = new ResourceFields();
  readonly #beside = new Pairs();
  readonly #event = new Pairs();
  #time: EventTime | null = null;

  constructor(body: Buffer, { time, bytesMax }: HecOptions) {
    this.#body = body;
    this.#defaultTime = time;
    this.#entries = new EntryBuilder(body.length + 1024, bytesMax, Infinity, body.length);
    this.#reader = new JsonReader(this.#envelope, bytesMax);
  }

  events(): HecEvents {
    const reader = this.#reader;
    reader.setText(this.#body, 0, this.#body.length);
    for (let event = 0; ; event += 1) {
      const first = reader.skipSpace();
      if (first < 0) return eventsOf(this.#entries);
      const { at } = reader;
      if (first !== OPEN_OBJECT) {
        return { kind: 'malformed', code: 'invalid_data', event, at, why: 'an event has to be an object' };
      }
      this.#envelope.reset();
      this.#time = null;
      if (!reader.object(0, this)) {
        const { isTooLarge, ...problem } = reader.problem;
        return isTooLarge ? { kind: 'too_large' } : { kind: 'malformed', code: 'invalid_data', event, ...problem };
      }
      const refusal = this.#takeEvent();
      if (refusal) return { kind: 'malformed', event, at, ...refusal };
    }
  }

  /** The time, from its own characters: a float would not hold its nanoseconds. */
  extracts(bytes: Buffer, keyAt: number, keyEnd: number, valueAt: number, valueEnd: number): boolean {
    if (bytes.compare(TIME, 0, TIME.length, keyAt, keyEnd) !== 0) return false;
    const quotes = bytes[valueAt] === QUOTE ? 1 : 0;
    this.#time = eventTimeOfText(bytes, valueAt + quotes, valueEnd - quotes);
    return this.#time !== null;
  }

  #takeEvent(): Refusal | null {
    const bytes = this.#envelope.view();
    const reader = new MsgpackReader(bytes);
    this.#resource.reset();
    this.#beside.reset();
    this.#event.reset();
    let eventAt = -1;
    for (let left = reader.mapHeader() ?? 0; left > 0; left -= 1) {
      const key = reader.bytes() ?? NO_BYTES;
      const name = key.toString('latin1');
      const at = reader.position;
      reader.skip();
      const besideKey = BESIDE.get(name);
      if (name === 'event') eventAt = at;
      else if (name === 'fields') {
        if (!this.#takeFields(bytes, at)) return FIELDS_MALFORMED;
      } else if (bytes[at] !== NIL) {
        const writer = besideKey ? this.#beside.key(besideKey) : this.#beside.textKey(Buffer.concat([SPLUNK, key]));
        writer.raw(bytes, at, reader.position);
      }
    }
    if (eventAt < 0 || bytes[eventAt] === NIL) return EVENT_MISSING;
    if (bytes[eventAt] === EMPTY_STRING) return EVENT_BLANK;
    this.#resource.writeTo(this.#beside);
    this.#beside.add(this.#resource.rest);
    this.#addEvent(bytes, eventAt);
    // A large one is not held a third time.
    this.#envelope.reset();
    this.#entries.add(this.#time ?? this.#defaultTime, this.#beside, this.#event);
    return null;
  }

  #takeFields(bytes: Buffer, at: number): boolean {
    if (bytes[at] === NIL) return true;
    const reader = new MsgpackReader(bytes, at);
    const count = reader.mapHeader();
    if (count === undefined) return false;
    for (let left = count; left > 0; left -= 1) {
      const key = reader.bytes() ?? NO_BYTES;
      const valueAt = reader.position;
      reader.skip();
      this.#resource.key(key).raw(bytes, valueAt, reader.position);
    }
    return true;
  }

  #addEvent(bytes: Buffer, eventAt: number): void {
    const reader = new MsgpackReader(bytes, eventAt);
    if (!isMap(bytes[eventAt] ?? 0)) {
      reader.skip();
      this.#event.key(LOG).raw(bytes, eventAt, reader.position);
      return;
    }
    const pairs = reader.mapHeader() ?? 0;
    const isDockers = lacksMessage(bytes, reader.position, pairs);
    for (let left = pairs; left > 0; left -= 1) {
      const key = reader.bytes() ?? NO_BYTES;
      const valueAt = reader.position;
      reader.skip();
      const writer = isDockers && key.equals(LINE) ? this.#event.key(LOG) : this.#event.textKey(key);
      writer.raw(bytes, valueAt, reader.position);
    }
  }
}

/** Whether none of the pairs that begin at `start` is a message. */
function lacksMessage(bytes: Buffer, start: number, pairs: number): boolean {
  const reader = new MsgpackReader(bytes, start);
  for (let left = pairs; left > 0; left -= 1) {
    const key = reader.bytes() ?? NO_BYTES;
    if (MESSAGES.some((name) => name.equals(key))) return false;
    reader.skip();
  }
  return true;
}

interface Refusal {
  readonly code: HecCode;
  readonly why: string;
}

const SPLUNK = Buffer.from('splunk.');
const EVENT_MISSING: Refusal = { code: 'event_missing', why: 'its event is missing' };
const EVENT_BLANK: Refusal = { code: 'event_blank', why: 'its event is blank' };
const FIELDS_MALFORMED: Refusal = { code: 'fields_malformed', why: 'its fields are no object' };
