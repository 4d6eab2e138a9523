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

/** Keys that are found by their bytes; the others by a string that is made of them. */
const NEAR_KEYS = 4096;

interface NumberField {
  /** `"name":` */
  readonly key: JsonBuffer;
  /** Where its number lies, of the document that is written; -1 where it has none. */
  start: number;
  end: number;
}

interface NearKey {
  readonly bytes: Uint8Array;
  readonly field: NumberField;
}

export class NumberFields {
  /** Numbers so far that have no field, for so many keys had one before; those of too long names are not counted. */
  leftOut = 0;
  readonly #max: number;
  /** By key, as it is written in JSON; several may share a field. */
  readonly #fields = new Map<string, NumberField>();
  readonly #byName = new Map<string, NumberField>();
  /** By hash, the one that came last. */
  readonly #near: (NearKey | null)[] = Array.from({ length: NEAR_KEYS }, () => null);
  /** With a number in this document. */
  readonly #present: NumberField[] = [];

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
    for (const field of this.#present) field.start = -1;
    this.#present.length = 0;
  }

  /** `key`: the bytes from `keyStart` to `keyEnd`, as they are written in JSON. Its number is from `start` to `end`. */
  take(key: Uint8Array, keyStart: number, keyEnd: number, start: number, end: number): void {
    const field = this.#fieldOf(key, keyStart, keyEnd);
    if (field === null) this.leftOut += this.#isFull ? 1 : 0;
    else if (field.start < 0) {
      field.start = start;
      field.end = end;
      this.#present.push(field);
    }
  }

  /** Writes those of the document, whose numbers lie in the same buffer, as far as there is space up to `limit`. */
  write(json: JsonBuffer, limit: number): void {
    if (this.#present.length === 0) return;
    const before = json.at;
    json.raw(START);
    const empty = json.at;
    for (const { key, start, end } of this.#present) {
      if (json.at + key.at + end - start + 2 > limit) break;
      json.raw(key);
      json.again(start, end);
      json.byte(COMMA);
    }
    if (json.at === empty) {
      json.at = before;
      return;
    }
    json.end(OBJECT_END);
    json.byte(COMMA);
  }

  #fieldOf(bytes: Uint8Array, start: number, end: number): NumberField | null {
    let hash = end - start;
    for (let at = start; at < end; at += 1) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
    const bucket = (hash ^ (hash >>> 15)) & (NEAR_KEYS - 1);
    const near = this.#near[bucket] ?? null;
    if (near !== null && isSameKey(near.bytes, bytes, start, end)) return near.field;
    const own = new Uint8Array(bytes.subarray(start, end));
    const key = Buffer.from(own.buffer).toString('latin1');
    const field = this.#fields.get(key) ?? this.#newField(key);
    if (field !== null) this.#near[bucket] = { bytes: own, field };
    return field;
  }

  #newField(key: string): NumberField | null {
    if (this.#isFull) return null;
    const name = Buffer.from(key, 'latin1').toString('utf8').replaceAll(UNSAFE, '_');
    if (name === '' || name.length > NAME_LENGTH_MAX) return null;
    let field = this.#byName.get(name);
    if (field === undefined) {
      field = { key: fragment(`"${name}":`), start: -1, end: -1 };
      this.#byName.set(name, field);
    }
    this.#fields.set(key, field);
    return field;
  }
}

function isSameKey(own: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (own.length !== end - start) return false;
  for (let i = 0; i < own.length; i += 1) if (own[i] !== bytes[start + i]) return false;
  return true;
}
