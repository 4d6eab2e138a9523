// A line of `journalctl -o json`: a journal entry as a JSON object, whose keys are in no order.
//
//   {"__CURSOR":"s=…","__REALTIME_TIMESTAMP":"1795168800123456","_HOSTNAME":"n1","PRIORITY":"6","MESSAGE":"text",…}
//
// Values are strings; arrays of numbers where they are bytes that are no text (colours are enough); arrays of strings
// where a field is there several times. The fields are those of a record that a reader of the journal sends. Pure, and
// linear.

import { JsonReader } from '#shared/json/json-value.ts';
import { containerChildren, containerHeaderSize, isArray } from '#shared/msgpack/extents.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { isText, pastValue, textEnd, textStart } from '../fields.ts';
import { readMicroseconds } from '../record-time.ts';
import { QUOTE, SPACE, isLetter } from '../line/scan.ts';
import type { WrappedLine } from './wrapped-line.ts';

const SIGN = Buffer.from('"__REALTIME_TIMESTAMP"');
/** As the journal allows them; it cuts longer ones. */
const FIELD = /^[A-Z0-9_]{1,64}$/;
/** What a trusted sender may tell: not by the text of a line, which anybody can write. */
const NOT_THE_JOURNALS: ReadonlySet<string> = new Set(['TENANT_ID', 'SERVICE_ID']);
const UNDERSCORE = 0x5f;
const SMALL = 0x20;
/** Pairs above this are not kept. */
const KEPT = 1024 * 1024;

export class JournalLines {
  readonly #object = new MsgpackWriter();
  readonly #reader = new JsonReader(this.#object);
  readonly #pairs = new MsgpackWriter();
  readonly #text = new MsgpackWriter();

  /** Whether bytes[start, end), which begins with a brace, is such a line. */
  read(bytes: Uint8Array, start: number, end: number, line: WrappedLine): boolean {
    if (!isLikely(bytes, start, end)) return false;
    this.#object.reset(KEPT);
    this.#reader.setText(bytes, start, end);
    if (!this.#reader.object(0) || this.#reader.skipSpace() >= 0) return false;
    return this.#take(this.#object.view(), line);
  }

  #take(object: Buffer, line: WrappedLine): boolean {
    this.#pairs.reset(KEPT);
    this.#text.reset(KEPT);
    let at = containerHeaderSize(object[0]!);
    let count = 0;
    let hasTime = false;
    let hasCursor = false;
    let textAt = -1;
    for (let left = containerChildren(object, 0, object[0]!) / 2; left > 0; left -= 1) {
      const valueAt = pastValue(object, at, object.length);
      const end = pastValue(object, valueAt, object.length);
      const name = object.toString('latin1', textStart(object, at), valueAt);
      if (!FIELD.test(name) || NOT_THE_JOURNALS.has(name)) return false;
      if (name === '__REALTIME_TIMESTAMP') hasTime = readMicroseconds(object, valueAt, line);
      else if (name === 'MESSAGE') {
        // Of a key that comes again the last counts.
        this.#text.reset(KEPT);
        textAt = this.#value(this.#text, object, valueAt, end) ? 0 : -1;
      } else {
        hasCursor ||= name === '__CURSOR';
        this.#pairs.raw(object, at, valueAt);
        this.#value(this.#pairs, object, valueAt, end);
        count += 1;
      }
      at = end;
    }
    if (!hasTime || !hasCursor || textAt < 0) return false;
    const text = this.#text.view();
    line.setText(text, textStart(text, 0), textEnd(text, 0));
    line.stream = null;
    line.goesOn = false;
    line.pairs = this.#pairs.view();
    line.pairsCount = count;
    return true;
  }

  /** Writes a value of a field: bytes as text. Whether it is text then. */
  #value(writer: MsgpackWriter, object: Buffer, at: number, end: number): boolean {
    const bytes = isArray(object[at]!) ? bytesIn(object, at) : null;
    if (bytes === null) writer.raw(object, at, end);
    else writer.stringBytes(bytes);
    return bytes !== null || isText(object[at]!);
  }
}

/** All names of fields are in capitals; of other JSON hardly any is. */
function isLikely(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start + 1;
  if (bytes[at] === SPACE) at += 1;
  const first = bytes[at + 1]!;
  if (bytes[at] !== QUOTE || (first !== UNDERSCORE && (!isLetter(first) || (first & SMALL) !== 0))) return false;
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).includes(SIGN);
}

/** The bytes that an array of small numbers stands for; null where it is another. */
function bytesIn(object: Buffer, at: number): Buffer | null {
  const type = object[at]!;
  const count = containerChildren(object, at, type);
  const bytes = Buffer.allocUnsafe(count);
  let next = at + containerHeaderSize(type);
  for (let i = 0; i < count; i += 1) {
    const first = object[next]!;
    if (first < 0x80) bytes[i] = first;
    else if (first === 0xcc) bytes[i] = object[next + 1]!;
    else return null;
    next += first < 0x80 ? 1 : 2;
  }
  return count === 0 ? null : bytes;
}
