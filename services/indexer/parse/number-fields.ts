// Numbers among the attributes as fields of their own, for charts in Kibana: the first keys that have a number, up to a
// limit. Elasticsearch maps each as a double when it sees the first one.
//
//   "attributes":{"status":500,"http":{"took":"12.4"}}   →   "numbers":{"status":500,"http_took":12.4},
//
// Names are safe: no dot, so that none is an object in one document and a number in another, and nothing that a mapping
// refuses. Where several numbers of a document have one name, the first is taken.
//
// Guarantees: pure; bounded, whatever keys come. What has no field stays among the attributes.

import { fragment, type JsonBuffer } from '../json/json-buffer.ts';

const START = fragment('"numbers":{');
const NAME_LENGTH_MAX = 128;
const UNSAFE = /[^\p{L}\p{N}_-]+/gu;
const COMMA = 0x2c;
const OBJECT_END = 0x7d;

interface NumberField {
  /** `"name":` */
  readonly key: JsonBuffer;
  /** Of the document that is written. */
  number: string;
}

export class NumberFields {
  /** Numbers so far that have no field, for so many keys had one before; those of too long names are not counted. */
  leftOut = 0;
  readonly #max: number;
  /** By key, as it is written in JSON; several may share a field. */
  readonly #fields = new Map<string, NumberField>();
  readonly #byName = new Map<string, NumberField>();
  /** With a number in this document. */
  #present: NumberField[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  /** Fields so far. */
  get size(): number {
    return this.#byName.size;
  }

  /** Several keys may have one name, and are as bounded. */
  get #isFull(): boolean {
    return this.#byName.size >= this.#max || this.#fields.size >= 2 * this.#max;
  }

  /** A document begins. */
  start(): void {
    for (const field of this.#present) field.number = '';
    this.#present = [];
  }

  /** `key`: in UTF-8, as it is written in JSON, each byte a letter; `number`: in digits of JSON. */
  take(key: string, number: string): void {
    if (!Number.isFinite(Number(number))) return;
    const field = this.#fields.get(key) ?? this.#newField(key);
    if (field === null) this.leftOut += this.#isFull ? 1 : 0;
    else if (field.number === '') {
      field.number = number;
      this.#present.push(field);
    }
  }

  /** Writes those of the document, as far as there is space up to `limit`. */
  write(json: JsonBuffer, limit: number): void {
    if (this.#present.length === 0) return;
    const start = json.at;
    json.raw(START);
    const empty = json.at;
    for (const { key, number } of this.#present) {
      if (json.at + key.at + number.length + 2 > limit) break;
      json.raw(key);
      json.ascii(number);
      json.byte(COMMA);
    }
    if (json.at === empty) {
      json.at = start;
      return;
    }
    json.end(OBJECT_END);
    json.byte(COMMA);
  }

  #newField(key: string): NumberField | null {
    if (this.#isFull) return null;
    const name = Buffer.from(key, 'latin1').toString('utf8').replaceAll(UNSAFE, '_');
    if (name === '' || name.length > NAME_LENGTH_MAX) return null;
    let field = this.#byName.get(name);
    if (field === undefined) {
      field = { key: fragment(`"${name}":`), number: '' };
      this.#byName.set(name, field);
    }
    this.#fields.set(key, field);
    return field;
  }
}
