// msgpack values → JSON, byte by byte, without building them. The values must be whole (shared/msgpack/extents.ts).
//
//   str, bin          string; what is not UTF-8 becomes U+FFFD
//   int               number with all its digits, up to 64 bits
//   float             number; NaN, Infinity, -Infinity: string
//   ext 0 (8 bytes)   EventTime: string "2026-01-02T03:04:05.678Z";  any other: string "ext:<type>:<hex digits>"
//   map               object. A key that is no string becomes its JSON text; of equal keys the last one stays
//
// Each value is written where it is met: to look for a map's end before going into it would read what is nested n deep
// n times over. Whether a key comes again is known only when its value is written. An entry in which one does is
// written twice, the second time without the pairs that are superseded (`rewrites`).
//
// Guarantees: valid JSON that a `flattened` field takes, as tried on Elasticsearch 9.5.3. No key is there twice, and
// none has a NUL. Objects nest 20 deep at most; what is deeper is a string of JSON. A key has 400 bytes at most, a path
// of keys 8192; a longer key becomes `long_key_<n>` with a string of JSON that has it in full. Linear: a byte is looked
// at a constant number of times. What goes past the limits is not written to its end: `isTooLarge`.

import { containerChildren, containerHeaderSize, isContainer, isMap, valueEnd } from '#shared/msgpack/extents.ts';
import { isText, type KeyStack, pastValue, textEnd, textStart } from './fields.ts';
import { UNITS_ANY, isLongerThan } from './text-length.ts';
import { type JsonBuffer, viewOf } from '../json/json-buffer.ts';
import { writeExtension, writeHex } from '../json/extensions.ts';
import { makeSafe } from '../json/safe-names.ts';
import { writeScalar } from '../json/scalars.ts';
import type { Spans } from '../json/spans.ts';
import { Timestamp } from './timestamp.ts';
import { NOTHING_TAKEN, type ValueSource } from './value-source.ts';
import { KEY_BYTES_MAX, LEVELS_MAX, NO_LIMITS, type ValueLimits } from '../json/value-limits.ts';
import { type OpenMap, WrittenKeys } from '../json/written-keys.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;

export class JsonTranscoder {
  readonly json: JsonBuffer;
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = viewOf(this.bytes);
  /** A longer string, in UTF-16 units, is noted in `hasLongText`. */
  textUnitsMax = UNITS_ANY;
  hasLongText = false;
  /** Is told where values of the line are written; null: nobody wants to know. */
  spans: Spans | null = null;
  #taken: ReadonlySet<number> = NOTHING_TAKEN;
  #base = 0;
  readonly #written: WrittenKeys;
  readonly #limits: ValueLimits;
  #valuesLeft = Infinity;
  #keysLeft = Infinity;
  #pathsLeft = Infinity;
  /** Of the keys that lead to where we are. */
  #pathBytes = 0;
  #isTooLarge = false;
  #isSecondTime = false;
  /** What is written becomes a string: levels and keys have no limits. */
  #inText = false;
  /** Whether the key that was written last is the short name of a long one. */
  #keyIsShortened = false;
  /** The map whose keys become safe names. */
  #safeMap: OpenMap | null = null;
  readonly #time = new Timestamp();

  constructor(json: JsonBuffer, limits: ValueLimits = NO_LIMITS) {
    this.json = json;
    this.#written = new WrittenKeys(json);
    this.#limits = limits;
  }

  /** The bytes that the following positions are of, for an entry of which nothing was written. */
  source(bytes: Uint8Array): void {
    this.#written.forget();
    this.#isSecondTime = false;
    this.resetLimits();
    this.#taken = NOTHING_TAKEN;
    this.#base = 0;
    if (bytes === this.bytes) return;
    this.bytes = bytes;
    this.view = viewOf(bytes);
  }

  /** The following positions are of these bytes, in the same document. */
  use({ bytes, view, taken, base }: ValueSource): void {
    this.bytes = bytes;
    this.view = view;
    this.#taken = taken;
    this.#base = base;
  }

  /** Whether what was written since `source` has a key twice. Then it is invalid; write it again from its start. */
  rewrites(): boolean {
    if (this.#isSecondTime || !this.#written.hasRepeats || this.isTooLarge) return false;
    this.#isSecondTime = true;
    return true;
  }

  /** Whether it is more than the limits let pass; what was written is invalid then. */
  get isTooLarge(): boolean {
    return this.#isTooLarge || this.json.isFull;
  }

  /** What may be written is counted from here on. */
  resetLimits(): void {
    const { bytesMax, valuesMax, keysMax, pathBytesMax } = this.#limits;
    this.json.fullAt = this.json.at + bytesMax;
    this.#valuesLeft = valuesMax;
    this.#keysLeft = keysMax;
    this.#pathsLeft = pathBytesMax;
    this.#pathBytes = 0;
    this.#isTooLarge = this.#inText = this.hasLongText = false;
    this.#written.top = 0;
  }

  /** Writes the value at `at`, `level` objects and arrays deep if it is one itself. Returns where it ends. */
  value(at: number, level: number): number {
    const { bytes, view, json } = this;
    const type = bytes[at]!;
    if (isText(type)) return this.text(at, false);
    if (type < 0xe0 && isContainer(type)) return this.#container(at, type, level);
    const start = json.at;
    const end = writeScalar(json, view, at, type);
    this.noteSpan(at, start);
    return end > 0 ? end : this.#extension(at);
  }

  /** The value at `at` was written since `start`. */
  noteSpan(at: number, start: number): void {
    if (this.spans === null || this.#base === 0) return;
    if (this.#inText) this.spans.areWhole = false;
    else this.spans.note(at, start, this.json.at);
  }

  /** Writes the str or bin at `at` as a string. Returns where it ends. */
  text(at: number, nulReplaced: boolean): number {
    const end = textEnd(this.bytes, at);
    const start = this.json.at;
    this.textBetween(textStart(this.bytes, at), end, nulReplaced);
    if (!nulReplaced) this.noteSpan(at, start);
    return end;
  }

  /** The same for bytes[start, end). */
  textBetween(start: number, end: number, nulReplaced = false): void {
    if (end - start > this.textUnitsMax && !this.#inText && isLongerThan(this.bytes, start, end, this.textUnitsMax))
      this.hasLongText = true;
    this.json.text(this.bytes, this.view, start, end, nulReplaced);
  }

  /** Writes the value as one string of JSON, whatever it is. Returns where it ends. */
  valueAsText(at: number): number {
    const start = this.json.at;
    const outer = this.#inText;
    this.#inText = true;
    const end = this.value(at, 1);
    this.#inText = outer;
    if (!this.isTooLarge) this.json.quote(start);
    return end;
  }

  /** Begins members that may come from several sources; end them by `endMembers`. */
  startMembers(pairs: number, level: number): OpenMap {
    return this.#written.open(pairs, level);
  }

  /** Writes the pairs whose keys lie on the stack, each with a comma after it; keys that are texts as safe names. */
  members(keys: KeyStack, map: OpenMap, areSafe = false): void {
    this.#safeMap = areSafe ? map : null;
    for (let i = 0; i < keys.top; i += 1) {
      const keyAt = keys.positions[i]!;
      if (keyAt !== 0 && !this.#mayGoOn()) break;
      if (keyAt !== 0) this.#pair(keyAt, i, map);
    }
    this.#safeMap = null;
  }

  endMembers(map: OpenMap): void {
    this.#written.close(map);
  }

  /** Whether there is room for one more value. */
  #mayGoOn(): boolean {
    this.#valuesLeft -= 1;
    if (!this.#inText) this.#pathsLeft -= this.#pathBytes;
    if (this.#valuesLeft >= 0 && this.#pathsLeft >= 0 && !this.#isTooLarge && !this.json.isFull) return true;
    this.#isTooLarge = true;
    return false;
  }

  /** Writes the pair that begins at `keyAt`, with a comma after it. Returns where it ends. */
  #pair(keyAt: number, ordinal: number, map: OpenMap): number {
    const { bytes } = this;
    const isTaken = this.#taken.size > 0 && this.#taken.has(keyAt);
    if (isTaken || (this.#isSecondTime && this.#written.isSuperseded(keyAt + this.#base)))
      return pastValue(bytes, pastValue(bytes, keyAt, bytes.length), bytes.length);
    this.#keysLeft -= 1;
    if (this.#keysLeft < 0) this.#isTooLarge = true;
    const start = this.json.at;
    const valueAt = this.#key(keyAt, ordinal);
    if (this.#isTooLarge) return valueAt;
    if (map === this.#safeMap && isText(bytes[keyAt]!)) makeSafe(this.json.bytes, start, this.json.at);
    this.#written.note(map, keyAt + this.#base, start);
    const keyBytes = this.json.at - start;
    this.#pathBytes += keyBytes;
    const end = this.#memberValue(keyAt, valueAt, map.level);
    this.#pathBytes -= keyBytes;
    return end;
  }

  /** Writes the key at `at`, always a string. Returns where its value begins. */
  #key(at: number, ordinal: number): number {
    const { json } = this;
    const start = json.at;
    const end = this.#keyInFull(at);
    this.#keyIsShortened = json.at - start > KEY_BYTES_MAX && !this.#inText;
    if (this.#keyIsShortened) {
      json.at = start;
      json.ascii(`"long_key_${this.#base === 0 ? '' : 'line_'}${ordinal}"`);
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
    this.#isTooLarge ||= !writeHex(this.json, this.bytes, at, end);
    this.json.byte(QUOTE);
    return end;
  }

  /** Writes colon, value and comma of the pair whose key was just written. */
  #memberValue(keyAt: number, valueAt: number, level: number): number {
    const { json } = this;
    json.byte(COLON);
    const end = this.#keyIsShortened ? this.#pairAsText(keyAt, valueAt) : this.value(valueAt, level);
    json.byte(COMMA);
    return end;
  }

  #pairAsText(keyAt: number, valueAt: number): number {
    const { json } = this;
    const start = json.at;
    this.#inText = true;
    json.byte(0x7b);
    this.#keyInFull(keyAt);
    json.byte(COLON);
    const end = this.value(valueAt, 1);
    json.byte(0x7d);
    this.#inText = false;
    if (!this.isTooLarge) json.quote(start);
    return end;
  }

  #container(at: number, type: number, level: number): number {
    if (level > LEVELS_MAX && !this.#inText) return this.valueAsText(at);
    return isMap(type) ? this.#map(at, type, level) : this.#array(at, type, level);
  }

  #map(at: number, type: number, level: number): number {
    const { bytes, json } = this;
    const pairs = containerChildren(bytes, at, type) / 2;
    const map = this.#written.open(pairs, level + 1);
    let next = at + containerHeaderSize(type);
    json.byte(0x7b);
    for (let ordinal = 0; ordinal < pairs && this.#mayGoOn(); ordinal += 1) next = this.#pair(next, ordinal, map);
    this.#written.close(map);
    json.end(0x7d);
    return next;
  }

  #array(at: number, type: number, level: number): number {
    const { bytes, json } = this;
    let next = at + containerHeaderSize(type);
    json.byte(0x5b);
    for (let left = containerChildren(bytes, at, type); left > 0 && this.#mayGoOn(); left -= 1) {
      next = this.value(next, level + 1);
      json.byte(COMMA);
    }
    json.end(0x5d);
    return next;
  }

  #extension(at: number): number {
    const { bytes, view, json } = this;
    const end = valueEnd(bytes, at, bytes.length);
    if (this.#time.read(bytes, view, at) === 'instant') this.#time.write(json);
    else this.#isTooLarge ||= !writeExtension(json, this, at, end);
    return end;
  }
}
