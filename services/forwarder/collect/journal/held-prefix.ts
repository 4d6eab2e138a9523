// The entries that were read, in their order, and which of them are done: held by the queue, or not wanted. The place
// to go on from after an end is the last one before which all are done. Pure.

import { Fifo } from '#shared/collections/fifo.ts';

interface Entry {
  readonly cursor: string;
  readonly writtenUs: number | null;
  isDone: boolean;
}

export class HeldPrefix {
  readonly #entries = new Fifo<Entry>();
  readonly #moved: (cursor: string) => void;

  /** `moved`: all entries up to the one with this cursor are done. */
  constructor(moved: (cursor: string) => void) {
    this.#moved = moved;
  }

  /** How many entries are read, and are not passed yet. */
  get length(): number {
    return this.#entries.length;
  }

  /** When the oldest of them was written; null where there is none, or nobody knows. */
  get oldestUs(): number | null {
    return this.#entries.first?.writtenUs ?? null;
  }

  /** Adds the next one; to be called when it is done. */
  add(cursor: string, writtenUs: number | null): () => void {
    const entry = { cursor, writtenUs, isDone: false };
    this.#entries.push(entry);
    return () => {
      entry.isDone = true;
      this.#pass();
    };
  }

  #pass(): void {
    let last: Entry | null = null;
    while (this.#entries.first?.isDone === true) last = this.#entries.shift() ?? null;
    if (last !== null) this.#moved(last.cursor);
  }
}
