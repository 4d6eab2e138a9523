// Which words a block may hold: a Bloom filter over their hashes. It says "surely not" or "perhaps". Words are those of
// words.ts, of every value but times and sequence numbers; beside them the origins of documents. Pure.
//
//   bits of the filter, 10 for each word; a word sets 7 of them

import { wordsOf } from '../../words.ts';
import { keyOf } from './shapes.ts';
import { isOpaque, visitLeaves } from './tokens.ts';

const BITS_PER_WORD = 10;
const PROBES = 7;
const START = 0x811c9dc5;
const PRIME = 0x01000193;
const WORD_MAX = 8191;
/** Of ASCII: the unit in lower case where it belongs to a word, else 0. */
const IN_WORD = Uint8Array.from({ length: 0x80 }, (_, code) =>
  /\w/.test(String.fromCharCode(code)) ? String.fromCharCode(code).toLowerCase().charCodeAt(0) : 0,
);

export function hashOfWord(word: string): number {
  let hash = START;
  for (let i = 0; i < word.length; i++) hash = Math.imul(hash ^ word.charCodeAt(i), PRIME);
  return hash >>> 0;
}

/** No word begins with this sign. */
export const hashOfOrigin = (origin: number): number => hashOfWord(`#${origin}`);

const SLOTS_MIN = 1024;
/** What one large block took is not kept for all that follow. */
const SLOTS_KEPT = 64 * 1024;

/** Different hashes. */
export class HashSet {
  #table = new Uint32Array(SLOTS_MIN);
  #count = 0;
  #hasZero = false;

  get size(): number {
    return this.#count + (this.#hasZero ? 1 : 0);
  }

  /** For the next block. */
  clear(): void {
    if (this.#table.length > SLOTS_KEPT) this.#table = new Uint32Array(SLOTS_MIN);
    else this.#table.fill(0);
    this.#count = 0;
    this.#hasZero = false;
  }

  add(hash: number): void {
    if (hash === 0) {
      this.#hasZero = true;
      return;
    }
    const mask = this.#table.length - 1;
    let at = Math.imul(hash, 0x9e3779b1) & mask;
    for (let found = this.#table[at]; found !== 0; found = this.#table[at]) {
      if (found === hash) return;
      at = (at + 1) & mask;
    }
    this.#table[at] = hash;
    if (++this.#count * 2 > this.#table.length) this.#grow();
  }

  each(visit: (hash: number) => void): void {
    if (this.#hasZero) visit(0);
    for (const hash of this.#table) if (hash !== 0) visit(hash);
  }

  #grow(): void {
    const before = this.#table;
    this.#table = new Uint32Array(before.length * 2);
    this.#count = 0;
    for (const hash of before) if (hash !== 0) this.add(hash);
  }
}

/** The words of a text: the same as `wordsOf` has, as hashes. */
export function addWords(text: string, hashes: HashSet): void {
  let hash = START;
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x80) {
      for (const word of wordsOf(text)) hashes.add(hashOfWord(word));
      return;
    }
    const lower = IN_WORD[unit] ?? 0;
    if (lower !== 0) {
      if (length++ < WORD_MAX) hash = Math.imul(hash ^ lower, PRIME);
    } else if (length > 0) {
      hashes.add(hash >>> 0);
      hash = START;
      length = 0;
    }
  }
  if (length > 0) hashes.add(hash >>> 0);
}

/** Of JSON, every string. */
const STRINGS = /"[^"\\]*(?:\\.[^"\\]*)*"/g;

/**
 * Every word of its values, and perhaps some more. A list is not parsed for it: there is nothing between its values
 * that belongs to a word, and numbers are meant as they are written.
 */
export function addWordsOfToken(token: string, hashes: HashSet): void {
  if (!isOpaque(token)) visitLeaves(token, (text) => addWords(text, hashes));
  else if (!token.includes('\\')) addWords(token, hashes);
  else {
    const rest = token.replaceAll(STRINGS, (string) => {
      if (!string.includes('\\')) return string;
      addWords(keyOf(string), hashes);
      return ' ';
    });
    addWords(rest, hashes);
  }
}

/** The same of bytes: of many texts at once, with any sign of ASCII between them that belongs to no word. */
export function addWordsOfAscii(bytes: Uint8Array, hashes: HashSet): void {
  const { length } = bytes;
  for (let i = 0; i < length; i++) {
    let lower = IN_WORD[bytes[i] ?? 0] ?? 0;
    if (lower === 0) continue;
    const end = i + WORD_MAX;
    let hash = START;
    do {
      if (i < end) hash = Math.imul(hash ^ lower, PRIME);
      i++;
      lower = i < length ? (IN_WORD[bytes[i] ?? 0] ?? 0) : 0;
    } while (lower !== 0);
    hashes.add(hash >>> 0);
  }
}

export function makeFilter(hashes: HashSet): Uint8Array {
  const bits = new Uint8Array(Math.max(8, Math.ceil((hashes.size * BITS_PER_WORD) / 8)));
  const count = bits.length * 8;
  hashes.each((hash) => setBits(bits, count, hash));
  return bits;
}

function setBits(bits: Uint8Array, count: number, hash: number): void {
  const step = stepOf(hash, count);
  let bit = hash % count;
  for (let probe = 0; probe < PROBES; probe++) {
    bits[bit >>> 3] = (bits[bit >>> 3] ?? 0) | (1 << (bit & 7));
    // Not `%`, which is a division; a step is shorter than the filter.
    bit += step;
    if (bit >= count) bit -= count;
  }
}

export function mayHold(filter: Uint8Array, hash: number): boolean {
  const count = filter.length * 8;
  const step = stepOf(hash, count);
  for (let probe = 0, bit = hash % count; probe < PROBES; probe++, bit = (bit + step) % count)
    if (((filter[bit >>> 3] ?? 0) & (1 << (bit & 7))) === 0) return false;
  return true;
}

/** How far the bits of a hash are from each other. */
function stepOf(hash: number, bits: number): number {
  return ((Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) | 1) >>> 0) % bits;
}
