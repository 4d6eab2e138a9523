// msgpack values → JSON, byte by byte, without building them. The values must be whole (see shared/msgpack/extents.ts).
//
//   str, bin          string; what is not UTF-8 becomes U+FFFD
//   int               number with all its digits, up to 64 bits
//   float             number; NaN, Infinity, -Infinity: string
//   ext 0 (8 bytes)   EventTime: string "2026-01-02T03:04:05.678Z";  any other: string "ext:<type>:<hex digits>"
//   map               object. A key that is no string becomes its JSON text; of equal keys the last one stays
//
// Guarantees: valid JSON that a `flattened` field takes, as tried on Elasticsearch 9.5.3: no key twice, no NUL in a key, no more
// than 20 objects in each other (the rest is a string of JSON), no path of keys above 8192 bytes (20 keys of 400; a
// longer key becomes `long_key_<n>` with a string of JSON that has it in full).

import {
  DEPTH_MAX,
  containerChildren,
  containerHeaderSize,
  isContainer,
  isMap,
  payloadHeaderSize,
  valueEnd,
} from '#shared/msgpack/extents.ts';
import { isText, type KeyStack, pastValue, textEnd, textStart } from './fields.ts';
import { type JsonBuffer, fragment, viewOf } from './json-buffer.ts';
import { Timestamp } from './timestamp.ts';

/** Objects and arrays in each other, the outermost counted. */
const LEVELS_MAX = 20;
/** As written in JSON. */
const KEY_BYTES_MAX = 400;
/** Maps up to this size compare each key with those before; larger ones use a table. */
const COMPARED_PAIRS_MAX = 24;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const NULL = fragment('null');
const TRUE = fragment('true');
const FALSE = fragment('false');

export class JsonTranscoder {
  readonly json: JsonBuffer;
  readonly keys: KeyStack;
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = viewOf(this.bytes);
  /** Hashes of the keys that the maps which are open have so far. */
  readonly #hashes = new Int32Array((DEPTH_MAX + 2) * COMPARED_PAIRS_MAX);
  #hashesTop = 0;
  /** A key may have occurred twice in this entry: from here on every map is written by way of a table. */
  #careful = false;
  /** What is written becomes a string: limits on levels and keys are void. */
  #inText = false;
  /** Whether the key that was written last is the short name of a long one. */
  #keyIsShortened = false;
  readonly #time = new Timestamp();

  constructor(json: JsonBuffer, keys: KeyStack) {
    this.json = json;
    this.keys = keys;
  }

  /** The bytes that the following positions are of. */
  source(bytes: Uint8Array): void {
    this.#careful = false;
    if (bytes === this.bytes) return;
    this.bytes = bytes;
    this.view = viewOf(bytes);
  }

  /** Writes the value at `at`, `level` objects and arrays deep if it is one itself. Returns where it ends. */
  value(at: number, level: number): number {
    const { bytes, view, json } = this;
    const type = bytes[at]!;
    if (isText(type)) return this.text(at, false);
    if (type < 0x80 || type >= 0xe0) {
      json.integer((type << 24) >> 24);
      return at + 1;
    }
    if (isContainer(type)) return this.#container(at, type, level);
    switch (type) {
      case 0xc0:
        json.raw(NULL);
        return at + 1;
      case 0xc2:
        json.raw(FALSE);
        return at + 1;
      case 0xc3:
        json.raw(TRUE);
        return at + 1;
      case 0xca:
        this.#float(view.getFloat32(at + 1));
        return at + 5;
      case 0xcb:
        this.#float(view.getFloat64(at + 1));
        return at + 9;
      case 0xcc:
        json.integer(view.getUint8(at + 1));
        return at + 2;
      case 0xcd:
        json.integer(view.getUint16(at + 1));
        return at + 3;
      case 0xce:
        json.integer(view.getUint32(at + 1));
        return at + 5;
      case 0xcf:
        json.ascii(view.getBigUint64(at + 1).toString());
        return at + 9;
      case 0xd0:
        json.integer(view.getInt8(at + 1));
        return at + 2;
      case 0xd1:
        json.integer(view.getInt16(at + 1));
        return at + 3;
      case 0xd2:
        json.integer(view.getInt32(at + 1));
        return at + 5;
      case 0xd3:
        json.ascii(view.getBigInt64(at + 1).toString());
        return at + 9;
      default:
        return this.#extension(at, type);
    }
  }

  /** Writes the str or bin at `at` as a string. Returns where it ends. */
  text(at: number, nulReplaced: boolean): number {
    const end = textEnd(this.bytes, at);
    this.json.text(this.bytes, this.view, textStart(this.bytes, at), end, nulReplaced);
    return end;
  }

  /** Writes the value as one string of JSON, whatever it is. Returns where it ends. */
  valueAsText(at: number): number {
    const start = this.json.at;
    const outer = this.#inText;
    this.#inText = true;
    const end = this.value(at, 1);
    this.#inText = outer;
    this.json.quote(start);
    return end;
  }

  /** Writes the pairs whose keys lie at `keys.positions[from…to)`, each with a comma after it. */
  members(from: number, to: number, level: number): void {
    if (this.#careful || to - from > COMPARED_PAIRS_MAX || !this.#membersIfDistinct(from, to, level)) {
      this.#careful = true;
      this.#lastOfEachKey(from, to, level);
    }
  }

  /** Writes pairs; takes all back and returns false when two keys may be equal. */
  #membersIfDistinct(from: number, to: number, level: number): boolean {
    const { json } = this;
    const start = json.at;
    const base = this.#hashesTop;
    for (let i = from; i < to; i += 1) {
      const keyStart = json.at;
      const keyAt = this.keys.positions[i]!;
      const valueAt = this.#key(keyAt, i - from);
      const hash = json.hash(keyStart);
      const top = this.#hashesTop;
      for (let k = base; k < top; k += 1) {
        if (this.#hashes[k] !== hash) continue;
        this.#hashesTop = base;
        json.at = start;
        return false;
      }
      this.#hashes[top] = hash;
      this.#hashesTop = top + 1;
      this.#memberValue(keyAt, valueAt, level);
    }
    this.#hashesTop = base;
    return true;
  }

  /** Writes pairs, of those with equal keys only the last. */
  #lastOfEachKey(from: number, to: number, level: number): void {
    const { json } = this;
    const last = new Map<string, number>();
    for (let i = from; i < to; i += 1) {
      const start = json.at;
      this.#key(this.keys.positions[i]!, i - from);
      last.set(json.bytes.toString('latin1', start, json.at), i);
      json.at = start;
    }
    for (const i of last.values()) {
      const keyAt = this.keys.positions[i]!;
      this.#memberValue(keyAt, this.#key(keyAt, i - from), level);
    }
  }

  /** Writes the key at `at`, always a string. Returns where its value begins. */
  #key(at: number, ordinal: number): number {
    const { json } = this;
    const start = json.at;
    const end = this.#keyInFull(at);
    this.#keyIsShortened = json.at - start > KEY_BYTES_MAX && !this.#inText;
    if (this.#keyIsShortened) {
      json.at = start;
      json.ascii(`"long_key_${ordinal}"`);
    }
    return end;
  }

  #keyInFull(at: number): number {
    const type = this.bytes[at]!;
    if (isText(type)) return this.text(at, true);
    if (type < 0xe0 && isContainer(type)) return this.#containerAsKey(at);
    const start = this.json.at;
    const end = this.value(at, 1);
    if (this.json.bytes[start] !== QUOTE) this.json.quote(start);
    return end;
  }

  /** A key inside a text is hex digits: JSON in JSON in JSON … would double its backslashes with each level. */
  #containerAsKey(at: number): number {
    if (!this.#inText) return this.valueAsText(at);
    const end = valueEnd(this.bytes, at, this.bytes.length);
    this.json.byte(QUOTE);
    this.json.hex(this.bytes, at, end);
    this.json.byte(QUOTE);
    return end;
  }

  /** Writes colon, value and comma of the pair whose key was just written. */
  #memberValue(keyAt: number, valueAt: number, level: number): void {
    const { json } = this;
    json.byte(COLON);
    if (this.#keyIsShortened) this.#pairAsText(keyAt, valueAt);
    else this.value(valueAt, level);
    json.byte(COMMA);
  }

  #pairAsText(keyAt: number, valueAt: number): void {
    const { json } = this;
    const start = json.at;
    this.#inText = true;
    json.byte(0x7b);
    this.#keyInFull(keyAt);
    json.byte(COLON);
    this.value(valueAt, 1);
    json.byte(0x7d);
    this.#inText = false;
    json.quote(start);
  }

  #container(at: number, type: number, level: number): number {
    if (level > LEVELS_MAX && !this.#inText) return this.valueAsText(at);
    return isMap(type) ? this.#map(at, type, level) : this.#array(at, type, level);
  }

  #map(at: number, type: number, level: number): number {
    const { bytes, json, keys } = this;
    const from = keys.top;
    let next = at + containerHeaderSize(type);
    for (let pairs = containerChildren(bytes, at, type) / 2; pairs > 0; pairs -= 1) {
      keys.push(next);
      next = pastValue(bytes, next, bytes.length);
      next = pastValue(bytes, next, bytes.length);
    }
    json.byte(0x7b);
    this.members(from, keys.top, level + 1);
    keys.top = from;
    close(json, 0x7d);
    return next;
  }

  #array(at: number, type: number, level: number): number {
    const { bytes, json } = this;
    let next = at + containerHeaderSize(type);
    json.byte(0x5b);
    for (let left = containerChildren(bytes, at, type); left > 0; left -= 1) {
      next = this.value(next, level + 1);
      json.byte(COMMA);
    }
    close(json, 0x5d);
    return next;
  }

  #float(value: number): void {
    if (Number.isFinite(value)) this.json.ascii(String(value));
    else this.json.ascii(`"${value}"`);
  }

  #extension(at: number, type: number): number {
    const { bytes, view, json } = this;
    const end = valueEnd(bytes, at, bytes.length);
    if (this.#time.read(bytes, view, at) === 'instant') {
      this.#time.write(json);
      return end;
    }
    const typeAt = type >= 0xd4 ? at + 1 : at + payloadHeaderSize(type);
    json.ascii(`"ext:${view.getInt8(typeAt)}:`);
    json.hex(bytes, typeAt + 1, end);
    json.byte(QUOTE);
    return end;
  }
}

/** Ends what was opened and has a comma after each of its members. */
export function close(json: JsonBuffer, code: number): void {
  if (json.bytes[json.at - 1] === COMMA) json.bytes[json.at - 1] = code;
  else json.byte(code);
}
