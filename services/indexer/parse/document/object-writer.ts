// Writes members of JSON objects, each with a comma after it, from values of an entry. An object that got no member is
// taken back, so whoever writes it need not know beforehand whether there will be one.

import type { JsonBuffer } from '../../json/json-buffer.ts';
import { NAME } from './document-keys.ts';
import type { JsonTranscoder } from '../json-value.ts';

const COMMA = 0x2c;
const OBJECT_END = 0x7d;
const LIST_END = 0x5d;

export class ObjectWriter {
  readonly #json: JsonBuffer;
  readonly #values: JsonTranscoder;

  constructor(values: JsonTranscoder) {
    this.#json = values.json;
    this.#values = values;
  }

  /** Writes `"key":{`; returns where it started. */
  open(key: JsonBuffer): number {
    const start = this.#json.at;
    this.#json.raw(key);
    return start;
  }

  /** Ends the object that was opened at `start`; one without members is taken back. */
  close(start: number): void {
    this.#end(start, OBJECT_END);
  }

  /** The same for a list. */
  closeList(start: number): void {
    this.#end(start, LIST_END);
  }

  #end(start: number, code: number): void {
    const out = this.#json;
    if (out.bytes[out.at - 1] !== COMMA) {
      out.at = start;
      return;
    }
    out.bytes[out.at - 1] = code;
    out.byte(COMMA);
  }

  /** `"key":"…",` of the str or bin at `at`; nothing if that is 0. */
  text(key: JsonBuffer, at: number): void {
    if (at === 0) return;
    this.#json.raw(key);
    this.#values.text(at, false);
    this.#json.byte(COMMA);
  }

  /** `"key":{"name":"…"},` of the str or bin at `at`; nothing if that is 0. */
  named(key: JsonBuffer, at: number): void {
    if (at === 0) return;
    this.#json.raw(key);
    this.text(NAME, at);
    this.#json.end(OBJECT_END);
    this.#json.byte(COMMA);
  }

  /** `"key":…,` of any value, `level` objects and arrays deep if it is one itself. */
  value(key: JsonBuffer, at: number, level: number): void {
    this.#json.raw(key);
    this.#values.value(at, level);
    this.#json.byte(COMMA);
  }

  /** `"key":"…",` of any value, as one string of JSON. */
  valueAsText(key: JsonBuffer, at: number): void {
    this.#json.raw(key);
    this.#values.valueAsText(at);
    this.#json.byte(COMMA);
  }
}
