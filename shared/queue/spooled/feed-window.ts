// The part of a spool that was read and is being fed: what was read in order, what of it is over, and how far a commit may go.
//
//   offset   10   11   12   13   14        next = 12: all before it are released
//            ███  ███  ···  ███  ···       ███ released: fed, buried or dropped; ··· not yet
//
// Guarantees: `next` moves over a contiguous prefix of released items only.

import assert from 'node:assert/strict';
import type { SpoolEntry } from './spool-entry.ts';

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
  #items: FeedItem[] = [];
  #head = 0;
  #bytes = 0;
  #next: number;

  /** `next`: offset of the first item that will be added. */
  constructor(next: number) {
    this.#next = next;
  }

  /** Offset before which nothing is needed any more. */
  get next(): number {
    return this.#next;
  }

  /** Bytes of items from the oldest that is not released on. */
  get bytes(): number {
    return this.#bytes;
  }

  get oldest(): FeedItem | undefined {
    return this.#items[this.#head];
  }

  /** Offsets only grow. */
  add(item: FeedItem): void {
    assert(item.offset >= this.#next);
    this.#items.push(item);
    this.#bytes += item.bytes;
  }

  release(item: FeedItem): void {
    item.isReleased = true;
    for (let head = this.oldest; head?.isReleased; head = this.oldest) {
      this.#head++;
      this.#bytes -= head.bytes;
      this.#next = head.offset + 1;
    }
    // What was passed is cut off now and then, so that each item is moved about once.
    if (this.#head > 64 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Items that are not released, oldest first; the window may release them meanwhile. */
  held(): FeedItem[] {
    return this.#items.slice(this.#head).filter((item) => !item.isReleased);
  }
}
