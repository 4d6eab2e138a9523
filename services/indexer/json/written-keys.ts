// The keys of the maps that are being written, to find those that come again in the same map. Of equal keys the last
// one counts, but only when it comes is it known that the one before it is superseded: it is written by then. So
// whoever writes asks at the end, and writes once more without those.
//
// Small maps compare each key with those before it, by hash and then by bytes; large ones have a table. Nothing is
// allocated for a small map but its own description.

import { DEPTH_MAX } from '#shared/msgpack/extents.ts';
import type { JsonBuffer } from './json-buffer.ts';

/** Maps up to this size compare each key with those before; larger ones use a table. */
const COMPARED_PAIRS_MAX = 24;

/** A map that is being written. */
export interface OpenMap {
  readonly level: number;
  /** Where the keys of a small map start among those of all. */
  readonly base: number;
  /** By key, of a large map: where it lies in the source. */
  readonly table: Map<string, number> | null;
}

export class WrittenKeys {
  /** Keys that all open small maps have so far. */
  top = 0;
  readonly #json: JsonBuffer;
  /** Of each: hash, extent in the JSON, position in the source. */
  readonly #hashes = new Int32Array((DEPTH_MAX + 2) * COMPARED_PAIRS_MAX);
  readonly #starts = new Int32Array(this.#hashes.length);
  readonly #ends = new Int32Array(this.#hashes.length);
  readonly #positions = new Uint32Array(this.#hashes.length);
  /** Positions in the source of keys that come again in their maps. */
  readonly #superseded = new Set<number>();

  constructor(json: JsonBuffer) {
    this.#json = json;
  }

  /** Another source comes. */
  forget(): void {
    if (this.#superseded.size > 0) this.#superseded.clear();
  }

  get hasRepeats(): boolean {
    return this.#superseded.size > 0;
  }

  isSuperseded(keyAt: number): boolean {
    return this.#superseded.has(keyAt);
  }

  open(pairs: number, level: number): OpenMap {
    return { level, base: this.top, table: pairs > COMPARED_PAIRS_MAX ? new Map<string, number>() : null };
  }

  close({ base }: OpenMap): void {
    this.top = base;
  }

  /** The key at `keyAt` was written from `start` on: compares it with those before it in its map. */
  note({ base, table }: OpenMap, keyAt: number, start: number): void {
    const json = this.#json;
    if (table !== null) {
      this.#noteInTable(table, keyAt, start);
      return;
    }
    const hash = json.hash(start);
    let i = base;
    while (i < this.top && (this.#hashes[i] !== hash || !this.#isWrittenAt(i, start))) i += 1;
    if (i < this.top) this.#superseded.add(this.#positions[i]!);
    else this.top += 1;
    this.#hashes[i] = hash;
    this.#starts[i] = start;
    this.#ends[i] = json.at;
    this.#positions[i] = keyAt;
  }

  /** Whether the key with this number is the one that was written last, at `start`. */
  #isWrittenAt(i: number, start: number): boolean {
    const { bytes, at } = this.#json;
    return bytes.compare(bytes, start, at, this.#starts[i], this.#ends[i]) === 0;
  }

  #noteInTable(table: Map<string, number>, keyAt: number, start: number): void {
    const { bytes, at } = this.#json;
    const key = bytes.toString('latin1', start, at);
    const before = table.get(key);
    if (before !== undefined) this.#superseded.add(before);
    table.set(key, keyAt);
  }
}
