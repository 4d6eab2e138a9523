// Finds the few keys that mean something to us among the keys of a record, by their bytes: a hash without
// collisions among the names (found when the table is made) leaves one name to compare with.
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

const BUCKETS = 1024;
const NONE = -1;

/** Positions of keys in the source bytes; maps inside maps lay theirs on top. */
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
  readonly #encoded: readonly Uint8Array[];
  /** By a key's hash: the number of the only name that it can be. */
  readonly #byHash = new Int16Array(BUCKETS);
  readonly #lengthMax: number;
  #seed = 1;

  constructor(names: readonly string[]) {
    this.#encoded = names.map((name) => Buffer.from(name));
    this.values = new Int32Array(names.length);
    this.#lengthMax = Math.max(...this.#encoded.map((name) => name.length));
    while (!this.#fill()) this.#seed += 1;
  }

  /**
   * Goes through the map at `mapAt`: sets `values`, and notes in `others` where the keys that are no names of ours
   * begin. A map that is the value of `inner`'s name is gone through in the same way. Returns where the map ends, or a
   * negative number if it is cut or malformed.
   */
  index(bytes: Uint8Array, mapAt: number, end: number, others: KeyStack, inner: InnerTable | null = null): number {
    this.values.fill(0);
    others.top = 0;
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
        name = this.#find(bytes, keyAt + 1, at);
      } else {
        at = valueEnd(bytes, keyAt, end);
        if (at < 0 || at >= end) return NONE;
        if (isText(keyType)) name = this.#find(bytes, keyAt + payloadHeaderSize(keyType), at);
      }
      if (name === NONE) others.push(keyAt);
      else this.values[name] = at;
      const isInner = inner !== null && name === inner.name && isMap(bytes[at]!);
      at = isInner ? inner.table.index(bytes, at, end, inner.others) : pastValue(bytes, at, end);
      if (at < 0) return NONE;
    }
    return at;
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
      this.values[name] = 0;
      return at;
    }
    return 0;
  }

  /** The number of the name that these bytes are, or -1. */
  #find(bytes: Uint8Array, start: number, end: number): number {
    const length = end - start;
    if (length > this.#lengthMax) return NONE;
    const number = this.#byHash[hashOf(bytes, start, end, this.#seed)]!;
    if (number === NONE) return NONE;
    const name = this.#encoded[number]!;
    if (name.length !== length) return NONE;
    for (let i = 0; i < length; i += 1) if (bytes[start + i] !== name[i]) return NONE;
    return number;
  }

  #fill(): boolean {
    this.#byHash.fill(NONE);
    return this.#encoded.every((name, number) => {
      const bucket = hashOf(name, 0, name.length, this.#seed);
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

function hashOf(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let hash = seed;
  for (let i = start; i < end; i += 1) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return (hash ^ (hash >>> 15)) & (BUCKETS - 1);
}
