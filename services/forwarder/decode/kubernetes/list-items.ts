// The answer to a list of the Kubernetes API, taken apart as it comes: its items one by one, and at its end what else
// it says. So a list of any size takes no more memory than its largest item. Pure.
//
//   {"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1","continue":"…"},"items":[{…},{…}]}
//
// Form: https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
//
// Guarantees: total and linear; the same bytes give the same items, however they are cut. What is no such answer, or
// has an item or a rest that is too large, is `malformed`; an end that comes too early shows in `rest` being null.

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_MAP = 0x7b;
const CLOSE_MAP = 0x7d;
const SPACE = 0x20;

/** An object of Kubernetes has 1.5 MiB at most, in a form that is smaller than JSON. */
export const ITEM_BYTES_MAX = 8 * 1024 * 1024;
const REST_BYTES_MAX = 256 * 1024;

/** What lists say beside their items. */
export type ListRest = Readonly<Record<string, unknown>>;

export class ListItems {
  isMalformed = false;
  readonly #item = new Piece(ITEM_BYTES_MAX);
  readonly #rest = new Piece(REST_BYTES_MAX);
  /** Maps and lists that are open. */
  #depth = 0;
  #isInText = false;
  #isEscaped = false;
  #isInItems = false;
  #isOver = false;
  /** Of a text that ended just now, at depth 1: whether it is `"items"`, and whether a colon came since. */
  #name: 'none' | 'items' | 'items:' = 'none';
  #textStart = 0;

  /** The items that end in these bytes, as their JSON. Empty from the first byte on that is malformed. */
  push(bytes: Buffer): Buffer[] {
    const items: Buffer[] = [];
    let from = 0;
    for (let at = 0; at < bytes.length && !this.isMalformed; at += 1) {
      const byte = bytes[at] ?? 0;
      if (this.#isInText) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (byte === BACKSLASH) this.#isEscaped = true;
        else if (byte === QUOTE) this.#endText(bytes, from, at);
        continue;
      }
      if (byte <= SPACE) continue;
      if (this.#isOver) this.isMalformed = true;
      else if (byte === QUOTE) this.#beginText(from, at);
      else if (byte === OPEN_MAP || byte === OPEN_LIST) from = this.#open(bytes, from, at);
      else if (byte === CLOSE_MAP || byte === CLOSE_LIST) from = this.#close(bytes, { from, at, items });
      else if (this.#isInItems && this.#depth === 2) {
        // Between items.
        if (byte !== COMMA) this.isMalformed = true;
        from = at + 1;
      } else if (this.#depth === 0) this.isMalformed = true;
      else if (this.#depth === 1) this.#name = byte === COLON && this.#name === 'items' ? 'items:' : 'none';
    }
    if (!this.isMalformed) this.#keep(bytes, from, bytes.length);
    return items;
  }

  /** What the answer says beside its items; null where it has not ended, or says nothing that can be read. */
  rest(): ListRest | null {
    if (!this.#isOver || this.isMalformed) return null;
    try {
      return JSON.parse(this.#rest.take().toString()) as ListRest;
    } catch {
      return null;
    }
  }

  get #piece(): Piece {
    return this.#isInItems && this.#depth >= 2 ? this.#item : this.#rest;
  }

  #beginText(from: number, at: number): void {
    this.#isInText = true;
    if (this.#isInItems && this.#depth === 2) this.isMalformed = true;
    if (this.#depth === 0) this.isMalformed = true;
    this.#textStart = this.#rest.length + at - from;
  }

  #endText(bytes: Buffer, from: number, at: number): void {
    this.#isInText = false;
    if (this.#depth !== 1) return;
    const length = this.#rest.length + at + 1 - from - this.#textStart;
    const isItems = length === ITEMS.length && this.#rest.endsWith(ITEMS, bytes.subarray(from, at + 1));
    this.#name = isItems ? 'items' : 'none';
  }

  /** Returns where what is not kept yet begins. */
  #open(bytes: Buffer, from: number, at: number): number {
    if (this.#isInItems && this.#depth === 2) {
      if (bytes[at] !== OPEN_MAP) this.isMalformed = true;
      this.#depth += 1;
      return at;
    }
    if (this.#depth === 0 && bytes[at] !== OPEN_MAP) this.isMalformed = true;
    if (this.#depth === 1 && this.#name === 'items:' && bytes[at] === OPEN_LIST) {
      this.#keep(bytes, from, at + 1);
      this.#isInItems = true;
      this.#depth = 2;
      return at + 1;
    }
    this.#name = 'none';
    this.#depth += 1;
    return from;
  }

  #close(bytes: Buffer, { from, at, items }: { from: number; at: number; items: Buffer[] }): number {
    this.#name = 'none';
    if (this.#isInItems && this.#depth === 3) {
      this.#keep(bytes, from, at + 1);
      this.#depth = 2;
      if (!this.isMalformed) items.push(this.#item.take());
      return at + 1;
    }
    if (this.#isInItems && this.#depth === 2) {
      this.#isInItems = false;
      this.#depth = 1;
      return at;
    }
    this.#depth -= 1;
    if (this.#depth > 0) return from;
    this.#isOver = true;
    if (this.#depth < 0) this.isMalformed = true;
    else this.#keep(bytes, from, at + 1);
    return at + 1;
  }

  #keep(bytes: Buffer, from: number, to: number): void {
    if (this.#isOver && from === to) return;
    if (this.#isInItems && this.#depth === 2) return;
    if (!this.#piece.add(bytes.subarray(from, to))) this.isMalformed = true;
  }
}

const ITEMS = Buffer.from('"items"');

/** Bytes that come in pieces, up to a limit. */
class Piece {
  readonly #bytesMax: number;
  #parts: Buffer[] = [];
  length = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** False: they are too many. */
  add(bytes: Buffer): boolean {
    if (bytes.length === 0) return true;
    this.length += bytes.length;
    if (this.length > this.#bytesMax) return false;
    this.#parts.push(Buffer.from(bytes));
    return true;
  }

  /** Whether it and what follows it end so. */
  endsWith(end: Buffer, next: Buffer): boolean {
    if (next.length >= end.length) return next.subarray(-end.length).equals(end);
    const last = [next];
    let bytes = next.length;
    for (let at = this.#parts.length - 1; at >= 0 && bytes < end.length; at -= 1) {
      const part = this.#parts[at];
      if (part === undefined) break;
      last.unshift(part);
      bytes += part.length;
    }
    return Buffer.concat(last).subarray(-end.length).equals(end);
  }

  take(): Buffer {
    const bytes = Buffer.concat(this.#parts, this.length);
    this.#parts = [];
    this.length = 0;
    return bytes;
  }
}
