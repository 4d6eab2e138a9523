// Syslog messages to a run of entries `[time, record]`. What a message does not say is absent from its record.
//
//   92 <EventTime> { message, host, service, procid, msgid, level, facility, structured_data }
//
// A message that is too long to hold comes in parts, which go on as Docker's do (text in `log`, beside partial_*): the
// indexer joins them.
//
// Guarantees: every message is an entry; its text passes as bytes, UTF-8 or not.

import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { type Span, SyslogHeader } from './syslog-header.ts';
import { FACILITY_NAMES, SEVERITY_NAMES } from './syslog-names.ts';
import { writeStructuredData } from './syslog-structured-data.ts';
import type { TimeZone } from './time-zone.ts';

const LINE_FEED = 0x0a;
const NUL = 0;
const EVENT_TIME_SECONDS_MAX = 0xffffffff;

export interface Message {
  /** The message lies in bytes[start, end). */
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  /** When it came, in seconds since the epoch. */
  readonly receivedSeconds: number;
  /** Its host if it names none: the sender's address, as RFC 3164 (section 4.3.2) has it. Empty for none. */
  readonly host: string;
  /** Null for a whole message. */
  readonly part: Part | null;
}

export interface Part {
  /** The same for all parts of a message, and no other's. */
  readonly id: string;
  /** From 1 on. */
  readonly ordinal: number;
  readonly last: boolean;
}

export class SyslogEntries {
  readonly #header: SyslogHeader;

  /** @param zone of senders that write times without one */
  constructor(zone: TimeZone) {
    this.#header = new SyslogHeader(zone);
  }

  /** Appends a message, or a part of one; its parts come one after another. */
  append(writer: MsgpackWriter, message: Message): void {
    const { bytes, start, end, part } = message;
    const textEnd = part?.last === false ? end : withoutTrailer(bytes, start, end);
    const isBeginning = part === null || part.ordinal === 1;
    if (isBeginning) this.#header.read(bytes, start, textEnd, message.receivedSeconds);
    this.#writeTime(writer);
    if (isBeginning) this.#writeRecord(writer, message, textEnd);
    else {
      writer.mapHeader(1 + PART_PAIRS);
      writer.raw(LOG);
      writer.stringBytes(bytes, start, textEnd);
      writePart(writer, part);
    }
  }

  #writeTime(writer: MsgpackWriter): void {
    const { hasTime, time } = this.#header;
    writer.arrayHeader(2);
    if (!hasTime) writer.integer(NOW);
    else if (time.seconds >= 0 && time.seconds <= EVENT_TIME_SECONDS_MAX) {
      writer.eventTime(time.seconds, time.nanoseconds);
    } else writer.integer(time.seconds);
  }

  #writeRecord(writer: MsgpackWriter, { bytes, host, part }: Message, textEnd: number): void {
    const header = this.#header;
    const map = writer.openMap();
    let pairs = 1;
    writer.raw(part ? LOG : MESSAGE);
    writer.stringBytes(bytes, header.textAt, textEnd);
    if (!header.host.isEmpty) pairs += writeSpan(writer, HOST, bytes, header.host);
    else if (host !== '') {
      writer.raw(HOST);
      writer.string(host);
      pairs += 1;
    }
    pairs += writeSpan(writer, SERVICE, bytes, header.program);
    pairs += writeSpan(writer, PROCESS_ID, bytes, header.processId);
    pairs += writeSpan(writer, MESSAGE_ID, bytes, header.messageId);
    if (header.priority >= 0) {
      writer.raw(LEVELS[header.priority & 7] ?? NO_BYTES);
      writer.raw(FACILITY_PAIRS[header.priority >>> 3] ?? NO_BYTES);
      pairs += 2;
    }
    if (!header.data.isEmpty) {
      writer.raw(STRUCTURED_DATA);
      writeStructuredData(writer, bytes, header.data.start, header.data.end);
      pairs += 1;
    }
    if (part) {
      writePart(writer, part);
      pairs += PART_PAIRS;
    }
    writer.closeMap(map, pairs);
  }
}

/** The pairs written. */
function writeSpan(writer: MsgpackWriter, key: Buffer, bytes: Buffer, span: Span): number {
  if (span.isEmpty) return 0;
  writer.raw(key);
  writer.stringBytes(bytes, span.start, span.end);
  return 1;
}

function writePart(writer: MsgpackWriter, { id, ordinal, last }: Part): void {
  writer.string('partial_message');
  writer.string('true');
  writer.string('partial_id');
  writer.string(id);
  writer.string('partial_ordinal');
  writer.string(String(ordinal));
  writer.string('partial_last');
  writer.string(String(last));
}

/**
 * What ends a message in transit: LF or NUL (RFC 6587, section 3.4.2). Docker sends a LF in datagrams and counted
 * frames too.
 */
function withoutTrailer(bytes: Buffer, start: number, end: number): number {
  const last = end > start ? bytes[end - 1] : -1;
  return last === LINE_FEED || last === NUL ? end - 1 : end;
}

function packed(...values: readonly string[]): Buffer {
  const writer = new MsgpackWriter();
  for (const value of values) writer.string(value);
  return writer.take();
}

/** The indexer takes the time of receipt. */
const NOW = 0;
const PART_PAIRS = 4;
const NO_BYTES = Buffer.alloc(0);
const MESSAGE = packed('message');
const LOG = packed('log');
const HOST = packed('host');
const SERVICE = packed('service');
const PROCESS_ID = packed('procid');
const MESSAGE_ID = packed('msgid');
const STRUCTURED_DATA = packed('structured_data');
const LEVELS = SEVERITY_NAMES.map((name) => packed('level', name));
const FACILITY_PAIRS = FACILITY_NAMES.map((name) => packed('facility', name));
