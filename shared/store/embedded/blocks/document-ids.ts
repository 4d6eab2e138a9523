// The names of documents as what they are made of: the key of a batch, and the index in it. What counts up within a
// batch is one run, however many documents it has. Pure.
//
//   `_id` (record/identity.ts)      key                        index
//   version 2, 27 letters           identity (16 bytes)        u32
//   version 1, hex "-" index        0x01, identity (17)        the index
//   by position, 30 letters         time and chain (22)        0
//   any other text                  the text                   0

import { decodeIntegers, encodeIntegers } from './parts/integers.ts';
import { ID_LETTERS, idStart, indexAt, isSameKey as isSameKeyAt, keyAt } from './parts/written-ids.ts';

export type BatchKey = Uint8Array | string;

export interface DocumentName {
  readonly key: BatchKey;
  readonly index: number;
}

/** Indices `first` to `last` of a batch. */
export interface NameRun {
  readonly key: BatchKey;
  readonly first: number;
  readonly last: number;
}

const IDENTITY_BYTES = 16;
const HEX_MARK = 1;
const TIME_BYTES = 6;
const LISTS = 5;
const HEX = /^([0-9a-f]{32})-(0|[1-9]\d{0,9})$/;
const LETTERS_OF_INDEXED = 27;
const LETTERS_BY_POSITION = 30;

/** Names in their order. Those of a batch share its key. */
export function namesOf(ids: readonly string[]): DocumentName[] {
  const names: DocumentName[] = [];
  let before: { readonly id: string; readonly name: DocumentName } | null = null;
  for (const id of ids) {
    const name: DocumentName = (before && sameBatch(id, before.id, before.name)) ?? nameOf(id);
    before = { id, name };
    names.push(name);
  }
  return names;
}

/** Letters before the first one that has bits of the index. */
const KEY_LETTERS = 21;
const SIX_BITS = new Map(
  Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_', (letter, value) => [
    letter.charCodeAt(0),
    value,
  ]),
);
const BITS = Int8Array.from({ length: 0x80 }, (_, code) => SIX_BITS.get(code) ?? -1);

/** The name of `id`, which differs from another one only by its index; null where that cannot be told at once. */
function sameBatch(id: string, other: string, { key }: DocumentName): DocumentName | null {
  if (id.length !== LETTERS_OF_INDEXED || other.length !== LETTERS_OF_INDEXED || key.length !== IDENTITY_BYTES)
    return null;
  if (typeof key === 'string' || id.slice(0, KEY_LETTERS) !== other.slice(0, KEY_LETTERS)) return null;
  const first = bitsAt(id, KEY_LETTERS);
  const last = bitsAt(id, LETTERS_OF_INDEXED - 1);
  // Two bits of the key before, and two behind the index that are not used.
  if (first < 0 || first >> 4 !== bitsAt(other, KEY_LETTERS) >> 4 || last < 0 || (last & 3) !== 0) return null;
  let index = first & 0x0f;
  for (let i = KEY_LETTERS + 1; i < LETTERS_OF_INDEXED - 1; i++) {
    const bits = bitsAt(id, i);
    if (bits < 0) return null;
    index = index * 64 + bits;
  }
  return { key, index: index * 16 + (last >> 2) };
}

const bitsAt = (id: string, at: number): number => BITS[id.charCodeAt(at)] ?? -1;

export function nameOf(id: string): DocumentName {
  if (id.length === LETTERS_OF_INDEXED || id.length === LETTERS_BY_POSITION) {
    const bytes = Buffer.from(id, 'base64url');
    // Another text may mean the same bytes.
    if (bytes.toString('base64url') === id) {
      if (id.length === LETTERS_BY_POSITION) return { key: bytes, index: 0 };
      return { key: bytes.subarray(0, IDENTITY_BYTES), index: bytes.readUInt32BE(IDENTITY_BYTES) };
    }
  }
  const [, hex, index] = HEX.exec(id) ?? [];
  if (hex === undefined) return { key: id.toWellFormed(), index: 0 };
  const key = Buffer.alloc(1 + IDENTITY_BYTES, HEX_MARK);
  key.write(hex, 1, 'hex');
  return { key, index: Number(index) };
}

export function idOf({ key, index }: DocumentName): string {
  if (typeof key === 'string') return key;
  const bytes = Buffer.from(key.buffer, key.byteOffset, key.length);
  if (key.length === 1 + IDENTITY_BYTES) return `${bytes.toString('hex', 1)}-${index}`;
  if (key.length !== IDENTITY_BYTES) return bytes.toString('base64url');
  const named = Buffer.allocUnsafe(IDENTITY_BYTES + 4);
  named.set(bytes);
  named.writeUInt32BE(index, IDENTITY_BYTES);
  return named.toString('base64url');
}

function isSameKey(a: BatchKey, b: BatchKey): boolean {
  if (a === b) return true;
  if (typeof a === 'string' || typeof b === 'string') return false;
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

/** Names in their order, as runs. */
export function runsOf(names: readonly DocumentName[]): NameRun[] {
  const runs: { key: BatchKey; first: number; last: number }[] = [];
  let run: { key: BatchKey; first: number; last: number } | undefined;
  for (const { key, index } of names) {
    if (run !== undefined && run.last + 1 === index && isSameKey(run.key, key)) run.last = index;
    else runs.push((run = { key, first: index, last: index }));
  }
  return runs;
}

/** The same of names as they stand before documents (written-ids.ts); `starts`: of some of the documents. */
export function runsBefore(body: Buffer, starts: Iterable<number>): NameRun[] {
  const runs: { key: BatchKey; first: number; last: number }[] = [];
  let run: { key: BatchKey; first: number; last: number } | undefined;
  let before = -1;
  for (const start of starts) {
    const at = idStart(start);
    const index = indexAt(body, at);
    if (run !== undefined && before >= 0 && index >= 0 && isSameKeyAt(body, before, at)) {
      if (index === run.last + 1) run.last = index;
      else runs.push((run = { key: run.key, first: index, last: index }));
    } else {
      const key = keyAt(body, at);
      const name = key === null ? nameOf(idAt(body, start)) : { key, index };
      before = key === null ? -1 : at;
      runs.push((run = { key: name.key, first: name.index, last: name.index }));
    }
  }
  return runs;
}

/** The name that stands before a document. */
export const idAt = (body: Buffer, start: number): string =>
  body.toString('latin1', idStart(start), idStart(start) + ID_LETTERS);

/**
 * Number of runs (u32) | length of each list (u32) | lists | rest of the keys
 *
 * The lists are columns of integers (integers.ts), a number for each run: the length of the key in bytes, whether it is
 * text, the first index, how many follow it, and the first six bytes of the key, for that is where most have a time.
 */
export function encodeRuns(runs: readonly NameRun[]): Uint8Array {
  const keys = runs.map(({ key }) => (typeof key === 'string' ? Buffer.from(key) : key));
  const columns = [
    keys.map((key) => key.length),
    runs.map(({ key }) => (typeof key === 'string' ? 1 : 0)),
    runs.map(({ first }) => first),
    runs.map(({ first, last }) => last - first),
    keys.map(timeIn),
  ].map(encodeIntegers);
  const head = Buffer.alloc(4 + 4 * columns.length);
  head.writeUInt32LE(runs.length, 0);
  for (const [i, column] of columns.entries()) head.writeUInt32LE(column.length, 4 + 4 * i);
  return Buffer.concat([head, ...columns, ...keys.map((key) => key.subarray(TIME_BYTES))]);
}

function timeIn(key: Uint8Array): number {
  const bytes = Buffer.from(key.buffer, key.byteOffset, Math.min(key.length, TIME_BYTES));
  return bytes.length === 0 ? 0 : bytes.readUIntBE(0, bytes.length);
}

export function decodeRuns(bytes: Uint8Array): NameRun[] {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = all.readUInt32LE(0);
  let at = 4 + 4 * LISTS;
  const [lengths, texts, firsts, follow, times] = Array.from({ length: LISTS }, (_, i) => {
    const end = at + all.readUInt32LE(4 + 4 * i);
    const column = decodeIntegers(all.subarray(at, end), count);
    at = end;
    return column;
  });
  const runs: NameRun[] = [];
  for (let i = 0; i < count; i++) {
    const length = lengths?.[i] ?? 0;
    const end = at + Math.max(0, length - TIME_BYTES);
    const first = firsts?.[i] ?? 0;
    const key = Buffer.alloc(length);
    const timeBytes = Math.min(length, TIME_BYTES);
    if (timeBytes > 0) key.writeUIntBE(times?.[i] ?? 0, 0, timeBytes);
    key.set(all.subarray(at, end), timeBytes);
    runs.push({ key: texts?.[i] === 1 ? key.toString() : key, first, last: first + (follow?.[i] ?? 0) });
    at = end;
  }
  return runs;
}

export function* namesIn(runs: Iterable<NameRun>): Generator<DocumentName, void, void> {
  for (const { key, first, last } of runs) for (let index = first; index <= last; index++) yield { key, index };
}
