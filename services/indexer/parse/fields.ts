// Finds the few keys that mean something to us among the keys of a record, by their bytes: a hash without
// collisions among the names (found when the table is made) leaves one name to compare with.
//
// A name with dots is found as one key, and as keys of maps in each other: `http.version`, {"http": {"version": …}}.
//
// Of keys that occur twice the last one counts, as in every sender's own hash table.

import {
  FIXED_SIZE,
  containerChildren,
  containerHeaderSize,
  isMap,
  payloadHeaderSize,
  payloadSize,
  valueEnd,
} from '#shared/msgpack/extents.ts';

/** So many that a seed without collisions among the names is found at once. */
const BUCKETS = 16_384;
const NONE = -1;
const DOT = 0x2e;

/** Positions of keys in the source bytes, or numbers of names; maps inside maps lay theirs on top. 0: taken off. */
export class KeyStack {
  positions = new Int32Array(256);
  top = 0;

  push(position: number): void {
    if (this.top === this.positions.length) {
      const larger = new Int32Array(2 * this.top);
      larger.set(this.positions);
      this.positions = larger;
    }
    this.positions[this.top++] = position;
  }

  /** Its place; -1 where it is not there. */
  indexOf(position: number): number {
    for (let i = 0; i < this.top; i += 1) if (this.positions[i] === position) return i;
    return NONE;
  }
}

/** How to go through a map inside a map. */
export interface InnerTable {
  readonly name: number;
  readonly table: FieldTable;
  readonly others: KeyStack;
}

export class FieldTable {
  /** By a name's number: where its value begins in the source bytes; 0 where it is absent, or was taken. */
  readonly values: Int32Array;
  /** Numbers of names from `notedFrom` on that were met, in their order; one that is met again is there again. */
  readonly found = new KeyStack();
  /** Numbers of all names that have had a value since `clear`: a few of hundreds. */
  readonly #met = new KeyStack();
  /** Positions of keys inside maps whose values were taken. */
  readonly taken = new Set<number>();
  readonly #notedFrom: number;
  readonly #encoded: readonly Uint8Array[];
  /** By a name's number: that of the map that it is in (`http` for `http.version`), or NONE. */
  readonly #groups: Int16Array;
  /** By the number of a map: hash of its name and a dot; 0 for what is no such map. */
  readonly #states: Int32Array;
  /** By the number of a map: how many of its values are not taken. */
  readonly #left: Int32Array;
  /** By a name's number: place of its key among `#keys`, counted from 1; or its position, negated, inside a map. */
  readonly #places: Int32Array;
  #keys: KeyStack = new KeyStack();
  /** By a key's hash: the number of the only name that it can be. */
  readonly #byHash = new Int16Array(BUCKETS);
  readonly #lengthMax: number;
  #seed = 1;

  /**
   * @param names one with dots is also found as a key inside a map, if what is before the dot is a name too
   * @param notedFrom number of the first name that `found` is to have
   */
  constructor(names: readonly string[], notedFrom = names.length) {
    this.#encoded = names.map((name) => Buffer.from(name));
    this.values = new Int32Array(names.length);
    this.#places = new Int32Array(names.length);
    this.#left = new Int32Array(names.length);
    this.#states = new Int32Array(names.length);
    this.#groups = Int16Array.from(names, (name) => names.indexOf(name.slice(0, name.lastIndexOf('.'))));
    for (const [i, name] of names.entries()) if (!name.includes('.')) this.#groups[i] = NONE;
    this.#notedFrom = notedFrom;
    this.#lengthMax = Math.max(...this.#encoded.map((name) => name.length));
    while (!this.#fill()) this.#seed += 1;
    for (const group of this.#groups) {
      if (group === NONE) continue;
      const name = this.#encoded[group]!;
      this.#states[group] = Math.imul(stateOf(name, 0, name.length, this.#seed) ^ DOT, 0x01000193);
    }
  }

  /**
   * Goes through the map at `mapAt`: sets `values`, and notes in `keys` where its keys begin, without those that come
   * again. A map that is the value of `inner`'s name is gone through in the same way. Returns where the map ends, or a
   * negative number if it is cut or malformed.
   */
  index(bytes: Uint8Array, mapAt: number, end: number, keys: KeyStack, inner: InnerTable | null = null): number {
    this.clear();
    this.#keys = keys;
    keys.top = 0;
    const type = bytes[mapAt]!;
    let at = mapAt + containerHeaderSize(type);
    if (at > end) return NONE;
    for (let pairs = containerChildren(bytes, mapAt, type) / 2; pairs > 0; pairs -= 1) {
      const keyAt = at;
      if (keyAt >= end) return NONE;
      const keyType = bytes[keyAt]!;
      let name = NONE;
      if ((keyType & 0xe0) === 0xa0) {
        at = keyAt + 1 + (keyType & 0x1f);
        if (at >= end) return NONE;
        name = this.#find(bytes, keyAt + 1, at, NONE);
      } else {
        at = valueEnd(bytes, keyAt, end);
        if (at < 0 || at >= end) return NONE;
        if (isText(keyType)) name = this.#find(bytes, keyAt + payloadHeaderSize(keyType), at, NONE);
      }
      keys.push(keyAt);
      if (name !== NONE) this.#note(name, at, keys.top);
      const isInner = inner !== null && name === inner.name && isMap(bytes[at]!);
      const isGroup = name !== NONE && this.#states[name] !== 0 && isMap(bytes[at]!);
      if (isInner) at = inner.table.index(bytes, at, end, inner.others);
      else if (isGroup) at = this.#indexGroup(bytes, at, end, name);
      else at = pastValue(bytes, at, end);
      if (at < 0) return NONE;
    }
    return at;
  }

  /** Forgets what was found. */
  clear(): void {
    for (let i = 0; i < this.#met.top; i += 1) this.values[this.#met.positions[i]!] = 0;
    this.#met.top = 0;
    this.found.top = 0;
    if (this.taken.size > 0) this.taken.clear();
  }

  /** The value of the name counts as absent from here on, and is not among the members of its map. */
  take(name: number): void {
    this.values[name] = 0;
    const place = this.#places[name]!;
    if (place > 0) {
      this.#keys.positions[place - 1] = 0;
      return;
    }
    this.taken.add(-place);
    const group = this.#groups[name]!;
    this.#left[group]! -= 1;
    // Of a map that has nothing left, nothing is written.
    if (this.#left[group] === 0) this.take(group);
  }

  /** Whether something is found in the map that is the value of the name, or was taken from it. */
  hasMembers(name: number): boolean {
    if (this.#states[name] === 0) return false;
    return this.#groups.some((group, i) => group === name && this.#places[i]! < 0 && this.values[i] !== 0);
  }

  /** Where the first of these names (by number) that has a string has it; else 0. */
  findText(bytes: Uint8Array, names: readonly number[]): number {
    for (let i = 0; i < names.length; i += 1) {
      const at = this.values[names[i]!]!;
      if (at !== 0 && isText(bytes[at]!)) return at;
    }
    return 0;
  }

  /** As `findText`; the value counts as absent from here on. */
  takeText(bytes: Uint8Array, names: readonly number[]): number {
    for (let i = 0; i < names.length; i += 1) {
      const name = names[i]!;
      const at = this.values[name]!;
      if (at === 0 || !isText(bytes[at]!)) continue;
      this.take(name);
      return at;
    }
    return 0;
  }

  /** `place`: of its key, as in `#places`. */
  #note(name: number, at: number, place: number): void {
    if (this.values[name] === 0) this.#met.push(name);
    else this.#supersede(name, place);
    this.values[name] = at;
    this.#places[name] = place;
    if (name >= this.#notedFrom) this.found.push(name);
  }

  /** Of two equal keys the last one counts. `a.b` beside `{a: {b}}` is another key: both stay. */
  #supersede(name: number, place: number): void {
    const before = this.#places[name]!;
    if (before > 0 && place > 0) this.#keys.positions[before - 1] = 0;
    if (before < 0 && place < 0) {
      this.taken.add(-before);
      this.#left[this.#groups[name]!]! -= 1;
    }
    if (this.#states[name] !== 0) this.#forgetMembers(name);
  }

  /** What was found in the map is no longer wanted. */
  #forgetMembers(group: number): void {
    for (let i = 0; i < this.#groups.length; i += 1) {
      if (this.#groups[i] !== group || this.values[i] === 0 || this.#places[i]! > 0) continue;
      if (this.#states[i] !== 0) this.#forgetMembers(i);
      this.values[i] = 0;
    }
  }

  /** The map at `mapAt` is the value of the name `group`: its keys are names that begin with that one and a dot. */
  #indexGroup(bytes: Uint8Array, mapAt: number, end: number, group: number): number {
    const type = bytes[mapAt]!;
    let at = mapAt + containerHeaderSize(type);
    if (at > end) return NONE;
    const pairs = containerChildren(bytes, mapAt, type) / 2;
    this.#left[group] = pairs;
    for (let left = pairs; left > 0; left -= 1) {
      const keyAt = at;
      at = pastValue(bytes, keyAt, end);
      if (at < 0 || at >= end) return NONE;
      const name = isText(bytes[keyAt]!) ? this.#find(bytes, textStart(bytes, keyAt), at, group) : NONE;
      if (name !== NONE) this.#note(name, at, -keyAt);
      const isGroup = name !== NONE && this.#states[name] !== 0 && isMap(bytes[at]!);
      at = isGroup ? this.#indexGroup(bytes, at, end, name) : pastValue(bytes, at, end);
      if (at < 0) return NONE;
    }
    return at;
  }

  /** The number of the name that these bytes are inside the map `group`, or -1. */
  #find(bytes: Uint8Array, start: number, end: number, group: number): number {
    const offset = group === NONE ? 0 : this.#encoded[group]!.length + 1;
    const length = end - start + offset;
    if (length > this.#lengthMax) return NONE;
    const state = group === NONE ? this.#seed : this.#states[group]!;
    const number = this.#byHash[mixed(stateOf(bytes, start, end, state))]!;
    if (number === NONE) return NONE;
    const name = this.#encoded[number]!;
    if (name.length !== length || (group !== NONE && this.#groups[number] !== group)) return NONE;
    for (let i = offset; i < length; i += 1) if (bytes[start + i - offset] !== name[i]) return NONE;
    return number;
  }

  #fill(): boolean {
    this.#byHash.fill(NONE);
    return this.#encoded.every((name, number) => {
      const bucket = mixed(stateOf(name, 0, name.length, this.#seed));
      if (this.#byHash[bucket] !== NONE) return false;
      this.#byHash[bucket] = number;
      return true;
    });
  }
}

/** Whether a value whose first byte is `type` is a str or a bin. */
export function isText(type: number): boolean {
  return (type & 0xe0) === 0xa0 || (type >= 0xd9 && type <= 0xdb) || (type >= 0xc4 && type <= 0xc6);
}

/** Where the bytes of the str or bin at `at` begin. */
export function textStart(bytes: Uint8Array, at: number): number {
  const type = bytes[at]!;
  return (type & 0xe0) === 0xa0 ? at + 1 : at + payloadHeaderSize(type);
}

/** Where the str or bin at `at`, which is whole, ends. */
export function textEnd(bytes: Uint8Array, at: number): number {
  const type = bytes[at]!;
  return (type & 0xe0) === 0xa0 ? at + 1 + (type & 0x1f) : at + payloadHeaderSize(type) + payloadSize(bytes, at, type);
}

/** As `valueEnd`, but quick for what is short: most values are. */
export function pastValue(bytes: Uint8Array, at: number, end: number): number {
  const size = FIXED_SIZE[bytes[at]!]!;
  if (size === 0) return valueEnd(bytes, at, end);
  return at + size <= end ? at + size : NONE;
}

function stateOf(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let state = seed;
  for (let i = start; i < end; i += 1) state = Math.imul(state ^ bytes[i]!, 0x01000193);
  return state;
}

function mixed(state: number): number {
  return (state ^ (state >>> 15)) & (BUCKETS - 1);
}
