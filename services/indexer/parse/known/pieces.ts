// JSON in which some leaves are those of each line, and all else is always the same.

import { type JsonBuffer, viewOf } from '../../json/json-buffer.ts';
import type { ValueSource } from '../value-source.ts';
import type { Leaves } from './leaves.ts';

const NO_LEAF = -1;
/** Behind a piece that is copied by words. */
const SPARE_BYTES = 4;

export class Pieces {
  readonly #view: DataView;
  /** Where each piece ends that is the same, and the leaf that follows it. */
  readonly #ends: Int32Array;
  readonly #leaves: Int32Array;

  constructor(bytes: Uint8Array, ends: readonly number[], leaves: readonly number[]) {
    this.#view = viewOf(bytes);
    this.#ends = Int32Array.from(ends);
    this.#leaves = Int32Array.from(leaves);
  }

  write(json: JsonBuffer, { bytes, view }: Pick<ValueSource, 'bytes' | 'view'>, leaves: Leaves): void {
    const ends = this.#ends;
    let from = 0;
    for (let i = 0; i < ends.length; i += 1) {
      const to = ends[i]!;
      json.copy(this.#view, from, to);
      from = to;
      const leaf = this.#leaves[i]!;
      if (leaf !== NO_LEAF) json.inside(bytes, view, leaves.starts[leaf]!, leaves.ends[leaf]!);
    }
  }
}

export class PiecesBuilder {
  readonly #bytes: Uint8Array[] = [];
  #length = 0;
  readonly #ends: number[] = [];
  readonly #leaves: number[] = [];

  /** Bytes of what is the same. */
  get length(): number {
    return this.#length;
  }

  add(bytes: Uint8Array): void {
    this.#bytes.push(new Uint8Array(bytes));
    this.#length += bytes.length;
  }

  addLeaf(leaf: number): void {
    this.#ends.push(this.#length);
    this.#leaves.push(leaf);
  }

  build(): Pieces {
    this.addLeaf(NO_LEAF);
    // Not Buffer.concat: a small piece of Node's pool would keep all of it.
    const bytes = new Uint8Array(this.#length + SPARE_BYTES);
    let at = 0;
    for (const piece of this.#bytes) {
      bytes.set(piece, at);
      at += piece.length;
    }
    return new Pieces(bytes, this.#ends, this.#leaves);
  }
}
