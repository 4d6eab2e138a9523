// A line of a file of Docker's json-file driver, as the driver writes it: these keys, in this order.
//
//   {"log":"text\n","stream":"stdout","attrs":{"tag":"web"},"time":"2026-11-20T10:00:00.123456789Z"}
//
// A text without a line feed at its end goes on in the next line of its stream, if Docker cut it: it does so where 16
// KiB are full, and nowhere else (part.ts). A shorter one is what a container left at its end.
//
// Whoever parses the JSON, or posts it, sends the same as a record of these keys.
//
// What differs in a key, in their order, or in an escape that no UTF-8 can hold, is an application's own JSON, and is
// left alone. Pure, and linear.

import { JsonReader } from '#shared/json/json-value.ts';
import { PLAIN, unescape } from '#shared/json/json-string.ts';
import { containerChildren, isMap } from '#shared/msgpack/extents.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { BACKSLASH, BRACE, QUOTE } from '../line/scan.ts';
import { DOCKER_PART_BYTES } from '../part.ts';
import type { Entry } from '../entry.ts';
import { isText, textEnd, textStart } from '../fields.ts';
import * as names from '../names.ts';
import { isAt } from './stream-name.ts';
import type { WrappedLine } from './wrapped-line.ts';

const LOG_KEY = Buffer.from('{"log":"');
const STREAM_KEY = Buffer.from('","stream":"');
const ATTRS_KEY = Buffer.from('","attrs":');
const TIME_KEY = Buffer.from(',"time":"');
const STREAM_BYTES = 6;
const TIME_BYTES_MAX = 40;
const SMALL_U = 0x75;
const SMALL_D = 0x64;
const EIGHT = 0x38;
const CLOSING = 0x7d;
const LINE_FEED = 0x0a;
/** Text and pairs above this are not kept. */
const SCRATCH_KEPT = 1024 * 1024;

export class DockerLines {
  readonly #pairs = new MsgpackWriter();
  readonly #reader = new JsonReader(this.#pairs);
  #scratch = Buffer.allocUnsafeSlow(0);

  /** Whether bytes[start, end) is such a line. */
  read(bytes: Uint8Array, start: number, end: number, line: WrappedLine): boolean {
    if (!isAt(bytes, start, LOG_KEY)) return false;
    const textAt = start + LOG_KEY.length;
    const close = stringEnd(bytes, textAt, end);
    const streamAt = close + STREAM_KEY.length;
    const streamEnd = streamAt + STREAM_BYTES;
    if (close < 0 || streamEnd >= end || !isAt(bytes, close, STREAM_KEY)) return false;
    if (!line.readStream(bytes, streamAt, streamEnd)) return false;
    this.#pairs.reset(SCRATCH_KEPT);
    const hasAttrs = isAt(bytes, streamEnd, ATTRS_KEY);
    const next = hasAttrs ? this.#attrs(bytes, streamEnd + ATTRS_KEY.length, end) : streamEnd + 1;
    if (next < 0 || bytes[streamEnd] !== QUOTE || !readTime(bytes, next, end, line)) return false;
    if (!this.#setText(bytes, textAt, close, line)) return false;
    if (hasAttrs) {
      line.pairs = this.#pairs.view();
      line.pairsCount = 1;
    }
    return true;
  }

  /** Where the object ends; -1 where there is none. */
  #attrs(bytes: Uint8Array, start: number, end: number): number {
    if (bytes[start] !== BRACE) return -1;
    this.#pairs.string('attrs');
    this.#reader.setText(bytes, start, end);
    return this.#reader.object(0) ? this.#reader.at : -1;
  }

  #setText(bytes: Uint8Array, start: number, close: number, line: WrappedLine): boolean {
    if (this.#scratch.length < close - start || this.#scratch.length > SCRATCH_KEPT)
      this.#scratch = Buffer.allocUnsafeSlow(Math.max(4096, close - start));
    const text = this.#scratch;
    const from = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const length = unescape(from, start, close, text, 0);
    if (length < 0) return false;
    setLog(text, 0, length, line);
    return true;
  }
}

/** Whether the record that was found is such a line: these keys, and no other. `textAt`: where its text is. */
export function isDockerRecord({ root, bytes, recordAt }: Entry, textAt: number, line: WrappedLine): boolean {
  const pairs = containerChildren(bytes, recordAt, bytes[recordAt]!) / 2;
  const attrsAt = root.values[names.ATTRS]!;
  const hasAttrs = attrsAt !== 0 && isMap(bytes[attrsAt]!);
  if (pairs !== (hasAttrs ? 4 : 3) || root.values[names.LOG] !== textAt) return false;
  const streamAt = root.values[names.STREAM]!;
  const timeAt = root.values[names.PLAIN_TIME]!;
  if (!isText(bytes[streamAt]!) || !isText(bytes[timeAt]!)) return false;
  if (!line.readStream(bytes, textStart(bytes, streamAt), textEnd(bytes, streamAt))) return false;
  if (!line.readTime(bytes, textStart(bytes, timeAt), textEnd(bytes, timeAt))) return false;
  setLog(bytes, textStart(bytes, textAt), textEnd(bytes, textAt), line);
  line.isRecord = true;
  return true;
}

/** The text is bytes[start, end), but for its line feed. */
function setLog(bytes: Uint8Array, start: number, end: number, line: WrappedLine): void {
  const hasFeed = end > start && bytes[end - 1] === LINE_FEED;
  line.setText(bytes, start, hasFeed ? end - 1 : end);
  line.goesOn = !hasFeed && end - start >= DOCKER_PART_BYTES;
}

/** Where the string's closing quote is; -1 where it has none, or holds a surrogate, which no UTF-8 can. */
function stringEnd(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at]!;
    if (PLAIN[byte] === 1) continue;
    if (byte === QUOTE) return at;
    if (byte !== BACKSLASH) return -1;
    at += 1;
    if (bytes[at] !== SMALL_U) continue;
    const isSurrogate = (bytes[at + 1]! | 0x20) === SMALL_D && bytes[at + 2]! >= EIGHT;
    if (isSurrogate) return -1;
  }
  return -1;
}

/** Whether the time follows, and the end of the object. */
function readTime(bytes: Uint8Array, start: number, end: number, line: WrappedLine): boolean {
  if (!isAt(bytes, start, TIME_KEY)) return false;
  const timeAt = start + TIME_KEY.length;
  const limit = Math.min(end, timeAt + TIME_BYTES_MAX);
  let close = timeAt;
  while (close < limit && bytes[close] !== QUOTE) close += 1;
  if (close + 1 >= end || bytes[close] !== QUOTE || bytes[close + 1] !== CLOSING) return false;
  for (let at = close + 2; at < end; at += 1) if (bytes[at]! > 0x20) return false;
  return line.readTime(bytes, timeAt, close);
}
