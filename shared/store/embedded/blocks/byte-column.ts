// One column of a block from the bytes of a bulk request: what column.ts makes of tokens, without a string for each.
// Pure.
//
// Guarantees: the same bytes as column.ts has for the same tokens; null where that is the one to ask.

import type { ColumnForm } from './column.ts';

export interface TokenPlaces {
  /** UTF-8. */
  readonly body: Buffer;
  readonly view: DataView;
  /** Of each token, in the body. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly count: number;
}

export interface ByteColumn {
  readonly form: ColumnForm;
  /** Until the next column is made. */
  readonly bytes: Buffer;
  /** Every token that is in it, once; null: all of them, as they are in `bytes`. */
  readonly entries: readonly string[] | null;
}

const QUOTE = 0x22;
const NEWLINE = 0x0a;
const ENTRIES_MAX = 256;
const TRIED = 128;
const SLOTS = 1024;
const AROUND_MAX = 64 * 1024;
const SCRATCH_MIN = 256 * 1024;
/** What one large block took is not kept for all that follow. */
const SCRATCH_KEPT = 4 * 1024 * 1024;

let scratch = Buffer.alloc(0);
const slots = new Int16Array(SLOTS);

export function bytesOfTokens(tokens: TokenPlaces): ByteColumn {
  return dictionaryOf(tokens) ?? textOf(tokens);
}

/** `messages`: the token of the message of each of the same documents. Null where one is not at the end of its line. */
export function bytesAround(tokens: TokenPlaces, messages: TokenPlaces): ByteColumn | null {
  const { body, view, starts, ends, count } = tokens;
  const out = ofBytes(bytesOf(tokens) + 2 * count);
  let at = 0;
  for (let i = 0; i < count; i++) {
    const start = starts[i] ?? 0;
    const end = ends[i] ?? 0;
    const textStart = (messages.starts[i] ?? 0) + 1;
    const textEnd = (messages.ends[i] ?? 0) - 1;
    const place = end - 1 - (textEnd - textStart);
    if (textStart === 0 || body[textStart - 1] !== QUOTE || end - start > AROUND_MAX || place < start) return null;
    if (!areSame(view, place, textStart, textEnd - textStart)) return null;
    for (let from = start; from < place; from++) out[at++] = body[from] ?? 0;
    out[at++] = NEWLINE;
    out[at++] = body[end - 1] ?? 0;
    out[at++] = NEWLINE;
  }
  return { form: { form: 'around' }, bytes: out.subarray(0, Math.max(0, at - 1)), entries: null };
}

function textOf(tokens: TokenPlaces): ByteColumn {
  const { body, starts, ends, count } = tokens;
  const out = ofBytes(bytesOf(tokens) + count);
  let at = 0;
  for (let i = 0; i < count; i++) {
    at += body.copy(out, at, starts[i], ends[i]);
    out[at++] = NEWLINE;
  }
  return { form: { form: 'text' }, bytes: out.subarray(0, Math.max(0, at - 1)), entries: null };
}

function dictionaryOf(tokens: TokenPlaces): ByteColumn | null {
  const { body, starts, ends, count } = tokens;
  const indexes = new Uint8Array(count);
  /** Which token each entry was first. */
  const firsts: number[] = [];
  slots.fill(0);
  for (let i = 0; i < count; i++) {
    // Nearly always as the one before.
    if (i > 0 && areAlike(tokens, i - 1, i)) {
      indexes[i] = indexes[i - 1] ?? 0;
      continue;
    }
    const start = starts[i] ?? 0;
    let slot = hashOf(body, start, (ends[i] ?? 0) - start) % SLOTS;
    while (slots[slot] !== 0 && !areAlike(tokens, firsts[(slots[slot] ?? 0) - 1] ?? 0, i)) slot = (slot + 1) % SLOTS;
    if (slots[slot] === 0) {
      if (firsts.length >= ENTRIES_MAX || (i >= TRIED && firsts.length > i / 2)) return null;
      slots[slot] = firsts.push(i);
    }
    indexes[i] = (slots[slot] ?? 1) - 1;
  }
  if (firsts.length * 2 > count && count > 1) return null;
  const entries = firsts.map((token) => body.toString('utf8', starts[token], ends[token]));
  return { form: { form: 'dictionary' }, bytes: Buffer.concat([Buffer.from(entries.join('\n')), indexes]), entries };
}

function hashOf(body: Buffer, start: number, length: number): number {
  let hash = length;
  for (let at = start; at < start + length; at++) hash = Math.imul(hash ^ (body[at] ?? 0), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}

/** Whether two of the tokens say the same. */
function areAlike({ view, starts, ends }: TokenPlaces, a: number, b: number): boolean {
  const start = starts[a] ?? 0;
  const other = starts[b] ?? 0;
  const length = (ends[a] ?? 0) - start;
  return length === (ends[b] ?? 0) - other && areSame(view, start, other, length);
}

function areSame(view: DataView, a: number, b: number, length: number): boolean {
  let i = 0;
  for (; i + 4 <= length; i += 4) if (view.getInt32(a + i) !== view.getInt32(b + i)) return false;
  for (; i < length; i++) if (view.getUint8(a + i) !== view.getUint8(b + i)) return false;
  return true;
}

function bytesOf({ starts, ends, count }: TokenPlaces): number {
  let bytes = 0;
  for (let i = 0; i < count; i++) bytes += (ends[i] ?? 0) - (starts[i] ?? 0);
  return bytes;
}

function ofBytes(bytes: number): Buffer {
  if (bytes > SCRATCH_KEPT) return Buffer.allocUnsafe(bytes);
  if (bytes > scratch.length) scratch = Buffer.allocUnsafe(Math.max(bytes, SCRATCH_MIN));
  return scratch;
}
