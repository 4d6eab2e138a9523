// The message of a document: the human part of its line where that is of a known format, else the record's text, byte
// for byte. `event.original` has the whole line where the message is only a part of it.

import { isMap } from '#shared/msgpack/extents.ts';
import * as keys from './document-keys.ts';
import type { DocumentParts } from './document-parts.ts';
import { textEnd, textStart } from '../fields.ts';
import * as names from '../names.ts';

const NIL = 0xc0;
/** Texts up to this are written to their end, however full the document is. */
const SHORT_BYTES_MAX = 4096;
const COMMA = 0x2c;

export class MessageValue {
  readonly #parts: DocumentParts;
  /** The record's text; 0 where it has none. */
  #textAt = 0;
  /** Any other value of the record that is written as text. */
  #valueAt = 0;
  /** The human part in the line's map; 0 for none. */
  #linePartAt = 0;
  /** Whether the human part is a piece of the record's text. */
  #isPiece = false;
  /** Where that piece was written: behind its first quote, and behind its last one. */
  #pieceStart = 0;
  #pieceEnd = 0;

  constructor(parts: DocumentParts) {
    this.#parts = parts;
  }

  /** Whether it is a value among the line's pairs. */
  get isValueOfLine(): boolean {
    return this.#linePartAt !== 0;
  }

  gather(hasLine: boolean): void {
    const { record, line } = this.#parts;
    this.#textAt = record.root.takeText(record.bytes, names.messageNames);
    this.#valueAt = this.#textAt === 0 ? this.#takeValue() : 0;
    this.#linePartAt =
      hasLine && line.hasMap && !line.hasText ? line.table.takeText(line.bytes, names.lineMessageNames) : 0;
    this.#isPiece = hasLine && this.#linePartAt === 0 && line.messageStart >= 0;
  }

  write(): void {
    const { values, object, record, line } = this.#parts;
    if (this.#linePartAt !== 0) {
      values.use(line);
      object.text(keys.MESSAGE, this.#linePartAt);
      values.use(record);
    } else if (this.#isPiece) {
      values.json.raw(keys.MESSAGE);
      this.#pieceStart = values.json.at + 1;
      values.json.text(record.bytes, record.view, line.messageStart, line.messageEnd);
      this.#pieceEnd = values.json.at;
      values.json.byte(COMMA);
    } else if (this.#textAt !== 0) object.text(keys.MESSAGE, this.#textAt);
    else if (this.#valueAt !== 0) object.valueAsText(keys.MESSAGE, this.#valueAt);
  }

  /** `"original":"…",` where the message has not all bytes of the line. */
  writeOriginal(): void {
    if (this.#linePartAt === 0 && !this.#isPiece) return;
    const { json } = this.#parts.values;
    const { bytes, view } = this.#parts.record;
    const start = textStart(bytes, this.#textAt);
    const end = textEnd(bytes, this.#textAt);
    json.raw(keys.ORIGINAL);
    if (this.#endsInPiece(start, end)) {
      json.text(bytes, view, start, this.#parts.line.messageStart);
      json.at -= 1;
      json.again(this.#pieceStart, this.#pieceEnd);
    } else json.text(bytes, view, start, end);
    json.byte(COMMA);
  }

  /** Whether the text in bytes[start, end) ends as the message does, which need not be looked at again then. */
  #endsInPiece(start: number, end: number): boolean {
    const { line, record } = this.#parts;
    const { messageStart, messageEnd } = line;
    if (!this.#isPiece || messageEnd !== end || messageStart <= start || end - start > SHORT_BYTES_MAX) return false;
    // No character that is not ASCII is cut there.
    return record.bytes[messageStart - 1]! < 0x80;
  }

  /** The first that is not nil, of a record without a text. A map that has fields of its own is none. */
  #takeValue(): number {
    const { root, bytes } = this.#parts.record;
    for (const name of names.messageNames) {
      const at = root.values[name]!;
      if (at === 0 || bytes[at] === NIL || (isMap(bytes[at]!) && root.hasMembers(name))) continue;
      root.take(name);
      return at;
    }
    return 0;
  }
}
