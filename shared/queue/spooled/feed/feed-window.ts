// The records of a spool that are in hand: they were read and are being fed. They are kept by offset, so that the
// oldest is known.
//
// It is a heap, since a record that was left for a while (feed-cursor.ts) comes after newer ones. A released record
// stays in it until it is the oldest.

import type { SpoolEntry } from '../local/spool-entry.ts';

export interface FeedItem {
  readonly offset: number;
  /** When it was spooled, ms since the epoch. */
  readonly timestampMs: number;
  readonly bytes: number;
  readonly events: number;
  readonly entry: SpoolEntry;
  /** The local queue may forget it, or has lost it. */
  isReleased: boolean;
  /** It was dropped while the queue had it in flight: it counts as dropped unless the queue takes it. */
  isGivenUp: boolean;
  /** The queue was given it and has not answered. */
  isInFlight: boolean;
  /** Its fate is known. */
  isSettled: boolean;
}

export class FeedWindow {
  #heap: FeedItem[] = [];
  #released = 0;

  get oldest(): FeedItem | undefined {
    while (this.#heap[0]?.isReleased) {
      this.#pop();
      this.#released--;
    }
    return this.#heap[0];
  }

  add(item: FeedItem): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const other = heap[parent];
      if (other === undefined || other.offset < item.offset) break;
      heap[at] = other;
      at = parent;
    }
    heap[at] = item;
  }

  release(item: FeedItem): void {
    item.isReleased = true;
    this.#released++;
    // What lies behind one that is stuck must not stay in memory with it. A sorted list is a heap.
    if (this.#released > 64 && this.#released * 2 > this.#heap.length) {
      this.#heap = this.unreleased();
      this.#released = 0;
    }
  }

  /** Items that are not released, oldest first; the window may release them meanwhile. */
  unreleased(): FeedItem[] {
    return this.#heap.filter((item) => !item.isReleased).sort((a, b) => a.offset - b.offset);
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      let least = heap[child];
      if (least === undefined) break;
      const right = heap[child + 1];
      if (right !== undefined && right.offset < least.offset) {
        least = right;
        child++;
      }
      if (last.offset < least.offset) break;
      heap[at] = least;
      at = child;
    }
    heap[at] = last;
  }
}
