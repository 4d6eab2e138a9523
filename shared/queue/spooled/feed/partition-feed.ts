// The records of a spool for one partition, in order, or its dead letters. They are taken from the front in groups that
// fit in one append, and put back there when the append has failed.

import { recordBytes } from '../../headers.ts';
import type { FeedItem } from './feed-window.ts';

/** In place of a partition: the dead letters, whose order matters to nobody. */
export const DEAD_LETTERS = -1;

export class PartitionFeed {
  readonly partition: number;
  /** Somebody feeds it: one append at a time, so that order is kept. */
  isRunning = false;
  #waiting: FeedItem[] = [];
  #singly = 0;
  #bufferedBytes = 0;

  constructor(partition: number) {
    this.partition = partition;
  }

  /** Bytes of what waits and what is on its way. */
  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  add(item: FeedItem): void {
    this.#waiting.push(item);
    this.#bufferedBytes += item.bytes;
  }

  /** Its fate is known; to be called once. */
  settled(item: FeedItem): void {
    this.#bufferedBytes -= item.bytes;
  }

  /** Takes the first items, as many as `bytesMax` allows, or a single one that is larger; empty where nothing waits. */
  take(bytesMax: number): FeedItem[] {
    // What was dropped meanwhile was the oldest.
    const first = this.#waiting.findIndex((item) => !item.isSettled);
    this.#waiting.splice(0, first < 0 ? this.#waiting.length : first);
    let count = 0;
    let bytes = 0;
    for (const item of this.#waiting) {
      bytes += appendBytes(item);
      if (count > 0 && (bytes > bytesMax || this.#singly > 0)) break;
      count++;
    }
    this.#singly = Math.max(0, this.#singly - count);
    const taken = this.#waiting.splice(0, count);
    for (const item of taken) item.isInFlight = true;
    return taken;
  }

  /** `singly`: one of them was refused, so that each has to go alone. */
  putBack(items: readonly FeedItem[], { singly }: { singly: boolean }): void {
    for (const item of items) item.isInFlight = false;
    this.#waiting.unshift(...items);
    if (singly) this.#singly = items.length;
  }
}

function appendBytes({ entry, bytes }: FeedItem): number {
  return entry.kind === 'record' ? recordBytes(entry.record) : bytes;
}
