// Which lines the joiner of traces has taken, so that one that its sender sends again is known as a repeat. A sender
// that missed an ack sends a chunk again, which may begin in the middle of a trace that was passed on.
//
// Guarantee: bounded; the batch that was remembered first is forgotten first.

import type { Batch } from '#shared/record/record.ts';

const LINES_MAX = 16_384;

export class PassedLines {
  /** By the identity of a batch: indices of its lines. */
  readonly #batches = new Map<string, Set<number>>();
  #lines = 0;

  /** Whether a line of a batch with this identity was taken. */
  hasOf({ id, chain }: Batch): boolean {
    return this.#batches.size > 0 && chain === null && this.#batches.has(keyOf(id));
  }

  has({ id, chain }: Batch, index: number): boolean {
    return chain === null && this.#batches.get(keyOf(id))?.has(index) === true;
  }

  add({ id, chain }: Batch, index: number): void {
    // Names by position are of lines of files, whose batches are cut in other ways when they are read again.
    if (chain !== null) return;
    const key = keyOf(id);
    const indices = this.#batches.get(key) ?? new Set();
    this.#batches.delete(key);
    this.#lines += indices.has(index) ? 0 : 1;
    this.#batches.set(key, indices.add(index));
    for (const [oldest, { size }] of this.#batches) {
      if (this.#lines <= LINES_MAX || oldest === key) break;
      this.#batches.delete(oldest);
      this.#lines -= size;
    }
  }

  /** Those that were on their way to the store may be read again, and must be taken then. */
  forget(): void {
    this.#batches.clear();
    this.#lines = 0;
  }
}

function keyOf(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.length).toString('latin1');
}
