// Log records of OTLP to entries, whichever encoding they come in: the walkers (protobuf.ts, json.ts) say what they
// find, in any order; here it gets its place.
//
//   body            log (the document's message)          severity    log.level, severity_number
//   attributes      as they are named                     trace, span trace.id, span.id, in hex
//   resource        service.name, host.name, container.*, kubernetes.*; the rest below `resource`
//   scope           below `scope`                         event name  event.name
//
// A log record's attribute that has one of our own names (`log`, `log.level`, `resource`, `scope`), or that of a
// resource's attribute that stands beside it, goes under `attributes.<name>`.

import type { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { type EventTime, eventTimeOfNs } from '#shared/record/event-time.ts';
import { EntryBuilder, Pairs, keyOf } from './entry-builder.ts';
import { ResourceFields } from './resource-fields.ts';

export type OtlpLogs =
  | {
      readonly kind: 'records';
      readonly entries: Uint8Array;
      readonly count: number;
      /** Records that could not be accepted. `why`: the reason for the first; empty without any. */
      readonly rejected: number;
      readonly why: string;
    }
  | { readonly kind: 'malformed'; readonly why: string }
  | { readonly kind: 'too_large' };

export interface OtlpOptions {
  /** Time of the records that have none. */
  readonly time: EventTime;
  /** Most bytes of the entries. */
  readonly bytesMax: number;
}

const LOG = keyOf('log');
const LEVEL = keyOf('log.level');
const SEVERITY_NUMBER = keyOf('severity_number');
const RESOURCE = keyOf('resource');
const SCOPE = keyOf('scope');
const NAME = keyOf('name');
const VERSION = keyOf('version');
const TRACE_ID = keyOf('trace.id');
const SPAN_ID = keyOf('span.id');
const FLAGS = keyOf('flags');
const EVENT_NAME = keyOf('event.name');
const DROPPED = keyOf('dropped_attributes_count');

const OURS = ['log', 'log.level', 'resource', 'scope'].map((name) => Buffer.from(name));
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'].map((name) => keyOf(name));

export class OtlpRecords {
  readonly #entries: EntryBuilder;
  readonly #time: EventTime;
  readonly #resource = new ResourceFields();
  readonly #scope = new Pairs();
  /** What all records of a scope have in common. */
  readonly #common = new Pairs();
  readonly #record = new Pairs();
  #timeNs = 0n;
  #observedNs = 0n;
  #hasLevel = false;
  #rejected = 0;
  #why = '';

  /**
   * @param bodyBytes of the request: entries are about as large
   * @param sentBytes as its sender wrote it
   */
  constructor(bodyBytes: number, { time, bytesMax }: OtlpOptions, sentBytes = bodyBytes) {
    this.#entries = new EntryBuilder(bodyBytes + 1024, bytesMax, bodyBytes, sentBytes);
    this.#time = time;
  }

  startResource(): void {
    this.#resource.reset();
    this.startScope();
  }

  /** As the other methods that return a writer: write the value into it. */
  resourceAttribute(key: Buffer): MsgpackWriter {
    return this.#resource.key(key);
  }

  startScope(): void {
    this.#scope.reset();
    this.#common.reset();
  }

  scopeName(): MsgpackWriter {
    return this.#scope.key(NAME);
  }

  scopeVersion(): MsgpackWriter {
    return this.#scope.key(VERSION);
  }

  scopeAttribute(key: Buffer): MsgpackWriter {
    return this.#scope.textKey(key);
  }

  /** After the scope, before its first record. */
  startRecords(): void {
    this.#resource.writeTo(this.#common);
    this.#common.map(RESOURCE, this.#resource.rest);
    this.#common.map(SCOPE, this.#scope);
  }

  startRecord(): void {
    this.#record.reset();
    this.#timeNs = 0n;
    this.#observedNs = 0n;
    this.#hasLevel = false;
  }

  /** Nanoseconds since the epoch; 0: unknown. */
  time(ns: bigint): void {
    this.#timeNs = ns;
  }

  observedTime(ns: bigint): void {
    this.#observedNs = ns;
  }

  severityText(text: Uint8Array): void {
    if (text.length === 0) return;
    this.#record.key(LEVEL).stringBytes(text);
    this.#hasLevel = true;
  }

  /** 1 to 24, four for each level; 0: unknown. */
  severityNumber(number: number): void {
    if (number === 0) return;
    this.#record.key(SEVERITY_NUMBER).integer(number);
    const level = LEVELS[Math.floor((number - 1) / 4)];
    if (level === undefined || this.#hasLevel) return;
    // A text, should one come, follows it, and of two the last one counts.
    this.#record.key(LEVEL).raw(level);
  }

  body(): MsgpackWriter {
    return this.#record.key(LOG);
  }

  attribute(key: Buffer): MsgpackWriter {
    const isOurs = OURS.some((name) => name.equals(key)) || this.#resource.hasAtTop(key);
    return this.#record.textKey(isOurs ? Buffer.concat([Buffer.from('attributes.'), key]) : key);
  }

  /** The hex digits of the id. */
  traceId(hex: string): void {
    if (isId(hex)) this.#record.key(TRACE_ID).string(hex);
  }

  spanId(hex: string): void {
    if (isId(hex)) this.#record.key(SPAN_ID).string(hex);
  }

  flags(flags: number): void {
    if (flags !== 0) this.#record.key(FLAGS).integer(flags);
  }

  droppedAttributes(count: number): void {
    if (count !== 0) this.#record.key(DROPPED).integer(count);
  }

  eventName(text: Uint8Array): void {
    if (text.length > 0) this.#record.key(EVENT_NAME).stringBytes(text);
  }

  endRecord(): void {
    const ns = this.#timeNs || this.#observedNs;
    const time = ns === 0n ? null : eventTimeOfNs(ns);
    this.#entries.add(time ?? this.#time, this.#common, this.#record);
  }

  /** The record that was begun cannot be taken. */
  reject(why: string): void {
    this.#rejected += 1;
    this.#why ||= why;
  }

  done(): OtlpLogs {
    const { bytes, count, tooLarge } = this.#entries;
    if (tooLarge) return { kind: 'too_large' };
    return { kind: 'records', entries: bytes, count, rejected: this.#rejected, why: this.#why };
  }
}

/** No id, and one of zeros, mean none. */
function isId(hex: string): boolean {
  return /[^0]/.test(hex);
}
