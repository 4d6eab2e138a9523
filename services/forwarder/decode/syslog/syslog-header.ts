// The header of one syslog message, as datagrams and frames hold it: where its parts lie, and where the text begins.
//
//   <134>1 2026-11-21T06:48:12.463276+00:00 vm app 123 ID7 [zoo@1 a="b"] text     RFC 5424; "-": nothing; BOM allowed
//   <30>Nov 21 06:46:08 vm 6d368950bdd9[3290]: text                               RFC 3164
//   <30>Nov 21 06:46:07 47f4ce28cb57[3290]: text                                  as syslog(3) and Docker: no host
//   <134>2026-11-21T06:48:08.943512+00:00 vm app: text                            as rsyslog forwards it
//
// RFC 3164 describes what was seen, not what must be. So nothing is an error: what cannot be read as a header is text.
// A tag needs its colon or "[pid]": without them the first word of a text would be lost to it.
// https://www.rfc-editor.org/rfc/rfc5424 https://www.rfc-editor.org/rfc/rfc3164
//
// Guarantees: total and bounded; bytes are looked at as ASCII, and pass as they are; nothing is allocated.

import { structuredDataEnd } from './syslog-structured-data.ts';
import { SyslogTime } from './syslog-time.ts';
import type { TimeZone } from './time-zone.ts';

const LESS = 0x3c;
const GREATER = 0x3e;
const SPACE = 0x20;
const DASH = 0x2d;
const COLON = 0x3a;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const ZERO = 0x30;
const ONE = 0x31;

const PRIORITY_MAX = 191;
const TAG_BYTES_MAX = 256;
const HOST_BYTES_MAX = 255;
/** Of structured data: longer one is text, which costs a tenth of it. No message of the size at first has so much. */
const DATA_BYTES_MAX = 256 * 1024;

/** Bytes that names and addresses of hosts are made of. */
const OF_HOSTS = new Uint8Array(256);
for (const byte of Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:%'))
  OF_HOSTS[byte] = 1;

/** A stretch of the message; empty where it has none. */
export class Span {
  start = 0;
  end = 0;

  set(start: number, end: number): void {
    this.start = start;
    this.end = end;
  }

  get isEmpty(): boolean {
    return this.start === this.end;
  }
}

/** One is read again and again. */
export class SyslogHeader {
  /** Facility × 8 + severity; -1 where there is none. */
  priority = -1;
  hasTime = false;
  readonly time = new SyslogTime();
  readonly host = new Span();
  /** APP-NAME, or the name in the tag. */
  readonly program = new Span();
  readonly processId = new Span();
  readonly messageId = new Span();
  /** The elements of the structured data. */
  readonly data = new Span();
  /** Where the text begins. */
  textAt = 0;
  /** Of senders that write times without one. */
  readonly #zone: TimeZone;

  constructor(zone: TimeZone) {
    this.#zone = zone;
  }

  /** Reads the message in bytes[start, end). `receivedSeconds`: since the epoch. */
  read(bytes: Uint8Array, start: number, end: number, receivedSeconds: number): void {
    this.hasTime = false;
    this.host.set(0, 0);
    this.program.set(0, 0);
    this.processId.set(0, 0);
    this.messageId.set(0, 0);
    this.data.set(0, 0);
    const at = this.#readPriority(bytes, start, end);
    this.textAt = at;
    if (at === start || this.#readRfc5424(bytes, at, end)) return;
    this.#readRfc3164(bytes, at, end, receivedSeconds);
  }

  /** Where the message goes on behind "<134>"; `start` where there is no such thing. */
  #readPriority(bytes: Uint8Array, start: number, end: number): number {
    this.priority = -1;
    if (start >= end || bytes[start] !== LESS) return start;
    let value = 0;
    for (let at = start + 1; at < end && at <= start + 4; at += 1) {
      const byte = bytes[at] ?? 0;
      if (byte === GREATER && at > start + 1 && value <= PRIORITY_MAX) {
        this.priority = value;
        return at + 1;
      }
      if (byte < ZERO || byte > ZERO + 9) break;
      value = value * 10 + byte - ZERO;
    }
    return start;
  }

  /** `1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA [MSG]`; false where it is something else. */
  #readRfc5424(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start < 2 || bytes[start] !== ONE || bytes[start + 1] !== SPACE) return false;
    const timeAt = start + 2;
    const hasTime = timeAt < end && bytes[timeAt] !== DASH;
    const timeEnd = hasTime ? this.time.readRfc3339(bytes, timeAt, end) : timeAt + 1;
    if (timeEnd < 0 || timeEnd >= end || bytes[timeEnd] !== SPACE) return false;
    const hostEnd = wordEnd(bytes, timeEnd + 1, end);
    const programEnd = wordEnd(bytes, hostEnd + 1, end);
    const processEnd = wordEnd(bytes, programEnd + 1, end);
    const messageEnd = wordEnd(bytes, processEnd + 1, end);
    const dataAt = messageEnd + 1;
    if (dataAt >= end) return false;
    const hasData = bytes[dataAt] !== DASH;
    const dataEnd = hasData ? structuredDataEnd(bytes, dataAt, Math.min(end, dataAt + DATA_BYTES_MAX)) : dataAt + 1;
    if (dataEnd <= dataAt || (dataEnd < end && bytes[dataEnd] !== SPACE)) return false;
    this.hasTime = hasTime;
    setWord(this.host, bytes, timeEnd + 1, hostEnd);
    setWord(this.program, bytes, hostEnd + 1, programEnd);
    setWord(this.processId, bytes, programEnd + 1, processEnd);
    setWord(this.messageId, bytes, processEnd + 1, messageEnd);
    if (hasData) this.data.set(dataAt, dataEnd);
    this.textAt = pastByteOrderMark(bytes, Math.min(dataEnd + 1, end), end);
    return true;
  }

  /** `TIMESTAMP [HOSTNAME] [TAG] text`; without a time all is text. */
  #readRfc3164(bytes: Uint8Array, start: number, end: number, receivedSeconds: number): void {
    let at = this.time.readRfc3164(bytes, start, end, receivedSeconds, this.#zone);
    if (at < 0) at = this.time.readRfc3339(bytes, start, end);
    // As Cisco has it.
    if (at >= 0 && at < end && bytes[at] === COLON) at += 1;
    if (at < 0 || at >= end || bytes[at] !== SPACE) return;
    this.hasTime = true;
    at += 1;
    this.textAt = at;
    if (this.#readTag(bytes, at, end)) return;
    const hostEnd = hostNameEnd(bytes, at, end);
    if (hostEnd < 0) return;
    this.host.set(at, hostEnd);
    this.textAt = hostEnd + 1;
    this.#readTag(bytes, hostEnd + 1, end);
  }

  /** `name: `, `name[123]: ` or `name[123] `; false where it is something else. */
  #readTag(bytes: Uint8Array, start: number, end: number): boolean {
    const limit = Math.min(end, start + TAG_BYTES_MAX);
    const nameEnd = tagNameEnd(bytes, start, limit);
    if (nameEnd === start || nameEnd >= limit) return false;
    let at = nameEnd;
    if (bytes[at] === OPEN) {
      at += 1;
      while (at < limit && bytes[at] !== CLOSE && (bytes[at] ?? 0) > SPACE) at += 1;
      if (at >= limit || bytes[at] !== CLOSE) return false;
      this.processId.set(nameEnd + 1, at);
      at += 1;
      if (at < end && bytes[at] === COLON) at += 1;
    } else if (bytes[at] === COLON) {
      at += 1;
    } else {
      return false;
    }
    if (at < end && bytes[at] !== SPACE) {
      this.processId.set(0, 0);
      return false;
    }
    this.program.set(start, nameEnd);
    this.textAt = Math.min(at + 1, end);
    return true;
  }
}

/** Where the name in a tag ends: at "[", a space, or a colon with a space behind it; names of images have others. */
function tagNameEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  for (; at < end; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte <= SPACE || byte === OPEN) break;
    if (byte === COLON && (at + 1 === end || bytes[at + 1] === SPACE)) break;
  }
  return at;
}

/** Where the host that begins here ends, with a space behind it; -1 where there is none. */
function hostNameEnd(bytes: Uint8Array, start: number, end: number): number {
  const limit = Math.min(end, start + HOST_BYTES_MAX + 1);
  let at = start;
  while (at < limit && OF_HOSTS[bytes[at] ?? 0] === 1) at += 1;
  return at > start && at < limit && bytes[at] === SPACE ? at : -1;
}

function wordEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== SPACE) at += 1;
  return at;
}

/** "-" stands for nothing. */
function setWord(span: Span, bytes: Uint8Array, start: number, end: number): void {
  if (end - start !== 1 || bytes[start] !== DASH) span.set(start, end);
}

function pastByteOrderMark(bytes: Uint8Array, at: number, end: number): number {
  const hasMark = end - at >= 3 && bytes[at] === 0xef && bytes[at + 1] === 0xbb && bytes[at + 2] === 0xbf;
  return hasMark ? at + 3 : at;
}
