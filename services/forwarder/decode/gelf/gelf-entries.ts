// GELF messages (JSON) to entries `[time, record]`. https://go2docs.graylog.org/current/getting_in_log_data/gelf.html
//
//   {"version":"1.1","host":"vm","short_message":"one","timestamp":1795243615.272,"level":6,
//    "_container_id":"82f4…","_tag":"web"}
//   92 <EventTime> { host: "vm", message: "one", level: "info", container_id: "82f4…", tag: "web" }
//
// `timestamp` is the time, to its last digit; where it is no number of seconds it stays in the record. `full_message`
// is the message where there is one; `short_message` stays beside it unless it is its beginning. Additional fields lose
// their underscore, but for those that would take a name of the standard's own.
//
// Guarantees: total (an entry, or what is wrong with the text); numbers and texts pass as JSON's do (json-value.ts).

import { containerChildren, containerHeaderSize, payloadHeaderSize, valueEnd } from '#shared/msgpack/extents.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { type EventTime, eventTimeOfMs, eventTimeOfText } from '#shared/record/event-time.ts';
import { JsonReader, type PairExtractor } from '#shared/json/json-value.ts';
import { SEVERITY_NAMES } from '../syslog/syslog-names.ts';

const OPEN_OBJECT = 0x7b;
const QUOTE = 0x22;
const FIXSTR = 0xa0;
const STR8 = 0xd9;
const STR32 = 0xdb;
const TIME_KEY = '"timestamp"';
const SECONDS_MAX = 0xffffffff;

/** Names that additional fields must leave to the standard's own. */
const TAKEN: ReadonlySet<string> = new Set([
  '',
  'version',
  'host',
  'short_message',
  'full_message',
  'timestamp',
  'level',
  'message',
  'log',
]);

/** What a message becomes where it is converted by itself. */
export type GelfConverted =
  { readonly kind: 'entry'; readonly bytes: Buffer } | { readonly kind: 'refused'; readonly why: string };

export function gelfEntry(text: Buffer): GelfConverted {
  const writer = new MsgpackWriter();
  const why = new GelfEntries().append(writer, text);
  return why === null ? { kind: 'entry', bytes: writer.view() } : { kind: 'refused', why };
}

export class GelfEntries implements PairExtractor {
  readonly #fields = new MsgpackWriter();
  readonly #reader = new JsonReader(this.#fields);
  #time: EventTime | null = null;

  /** Appends the message in `text`. Returns null, or what is wrong; then nothing was appended. */
  append(writer: MsgpackWriter, text: Buffer): string | null {
    const reader = this.#reader;
    this.#fields.reset();
    this.#time = null;
    reader.setText(text, 0, text.length);
    if (reader.skipSpace() !== OPEN_OBJECT) return 'a message is a JSON object';
    if (!reader.object(0, this)) return `${reader.problem.why} (byte ${reader.problem.at})`;
    if (reader.skipSpace() >= 0) return `there is more after the message (byte ${reader.at})`;
    writer.arrayHeader(2);
    this.#writeTime(writer);
    writeRecord(writer, this.#fields.view());
    return null;
  }

  #writeTime(writer: MsgpackWriter): void {
    if (this.#time) writer.eventTime(this.#time.seconds, this.#time.nanoseconds);
    else writer.integer(NOW);
  }

  extracts(bytes: Buffer, keyAt: number, keyEnd: number, valueAt: number, end: number): boolean {
    if (this.#time !== null || keyEnd - keyAt !== TIME_KEY.length) return false;
    if (bytes.toString('latin1', keyAt, keyEnd) !== TIME_KEY) return false;
    this.#time = timeOf(bytes, valueAt, end);
    return this.#time !== null;
  }
}

/** Seconds as a number, in quotes or not; Java writes 1.7952436E9. */
function timeOf(bytes: Buffer, start: number, end: number): EventTime | null {
  const isQuoted = bytes[start] === QUOTE;
  const from = isQuoted ? start + 1 : start;
  const to = isQuoted ? end - 1 : end;
  const exact = eventTimeOfText(bytes, from, to);
  if (exact) return exact;
  const seconds = Number(bytes.toString('latin1', from, Math.min(to, from + 64)));
  return seconds > 0 && seconds <= SECONDS_MAX ? eventTimeOfMs(seconds * 1000) : null;
}

/** `fields`: the whole message but its time, as a msgpack map. */
function writeRecord(writer: MsgpackWriter, fields: Buffer): void {
  const message = messageOf(fields);
  const map = writer.openMap();
  let count = 0;
  for (const pair = new Pairs(fields); pair.next();) {
    const { key, valueAt, end } = pair;
    if (key === 'version' || (key === 'short_message' && message.holdsShort)) continue;
    count += 1;
    if (valueAt === message.valueAt) writer.raw(MESSAGE);
    else if (isAdditional(key)) writer.stringBytes(fields, pair.keyTextAt + 1, valueAt);
    else writer.raw(fields, pair.keyAt, valueAt);
    const severity = key === 'level' ? SEVERITY_NAMES[fields[valueAt] ?? NO_LEVEL] : undefined;
    if (severity === undefined) writer.raw(fields, valueAt, end);
    else writer.string(severity);
  }
  writer.closeMap(map, count);
}

function isAdditional(key: string): boolean {
  return key.startsWith('_') && !TAKEN.has(key.slice(1));
}

interface TheMessage {
  /** 0 for none. */
  readonly valueAt: number;
  /** Whether short_message says nothing more. */
  readonly holdsShort: boolean;
}

/** Of keys that occur twice the last one counts, as everywhere. */
function messageOf(fields: Buffer): TheMessage {
  let shortAt = 0;
  let short: Buffer | null = null;
  let fullAt = 0;
  let full: Buffer | null = null;
  for (const pair = new Pairs(fields); pair.next();) {
    const { key, valueAt } = pair;
    if (key === 'short_message') {
      shortAt = valueAt;
      short = pair.text;
    } else if (key === 'full_message' && pair.text) {
      fullAt = valueAt;
      full = pair.text;
    }
  }
  if (!full) return { valueAt: shortAt, holdsShort: false };
  return { valueAt: fullAt, holdsShort: short !== null && full.subarray(0, short.length).equals(short) };
}

/** Goes through the pairs of a map that we wrote ourselves, so that its keys are strings. */
class Pairs {
  keyAt = 0;
  valueAt = 0;
  end: number;
  readonly #fields: Buffer;
  #left: number;

  constructor(fields: Buffer) {
    this.#fields = fields;
    const type = fields[0] ?? 0;
    this.#left = containerChildren(fields, 0, type) / 2;
    this.end = containerHeaderSize(type);
  }

  next(): boolean {
    if (this.#left === 0) return false;
    this.#left -= 1;
    this.keyAt = this.end;
    this.valueAt = valueEnd(this.#fields, this.keyAt, this.#fields.length);
    this.end = valueEnd(this.#fields, this.valueAt, this.#fields.length);
    return true;
  }

  get keyTextAt(): number {
    return this.keyAt + textHeaderBytes(this.#fields[this.keyAt] ?? 0);
  }

  get key(): string {
    return this.#fields.toString('latin1', this.keyTextAt, this.valueAt);
  }

  /** The value if it is a text that is not empty. */
  get text(): Buffer | null {
    const type = this.#fields[this.valueAt] ?? 0;
    const isText = (type & 0xe0) === FIXSTR || (type >= STR8 && type <= STR32);
    const textAt = this.valueAt + textHeaderBytes(type);
    return isText && textAt < this.end ? this.#fields.subarray(textAt, this.end) : null;
  }
}

function textHeaderBytes(type: number): number {
  return (type & 0xe0) === FIXSTR ? 1 : payloadHeaderSize(type);
}

/** The indexer takes the time of receipt. */
const NOW = 0;
const NO_LEVEL = 0xff;
const MESSAGE = Buffer.concat([Buffer.of(FIXSTR + 'message'.length), Buffer.from('message')]);
