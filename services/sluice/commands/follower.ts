// Follows a query: gives each document that is new to the store, once.
//
// `@timestamp` gives no order, since a document may come late. So polls go by `event.ingested`: each asks for documents
// from an overlap before the latest seen on, and leaves out the ids that it has seen. The overlap must cover several
// indexers, their clocks, and the time until a written document can be found.
//
// One indexer's clock may be further ahead. Then the latest document is far from all others, which are near this
// machine's clock.
//
//        now                                  latest
//   |─ near ─|············ gap ············|─ far ─►
//
// Each poll asks for both ends, and one of several for the newest documents of the gap.
//
// Where this machine's clock is wrong instead, the near end is empty, and the far one has what is new.
//
// Guarantees: nothing twice; nothing missed that is found within OVERLAP_MS of documents ingested after it, where the
// clock that ingested it is right. Of more than SEEN_MAX documents ahead of this machine's clock the first may come
// again, when it has got there.

import type { Clock } from '#shared/clock.ts';
import type { Store, StoredDocument, StoreQuery } from '#shared/store/store.ts';
import { ingestedMs } from '../output/document-text.ts';

/** Promised in docs/guarantees.md. A poll that reaches back so far is costly, so only one of several does. */
const OVERLAP_MS = 10_000;
const POLLS_PER_OVERLAP = 10;
/** Enough for Elasticsearch's refresh of a second and a bulk request before it. */
const SHORT_OVERLAP_MS = 3000;
/** The ten polls between two long ones must not eat into the overlap. */
const LONG_OVERLAP_MS = OVERLAP_MS + 3000;
/** Ids that are kept at most: some hundred MB. Without clocks that are wrong it would be 70,000 documents a second. */
const SEEN_MAX = 1_000_000;
/** So many of the gap are read by a poll: new documents there have the latest times. */
const GAP_DOCUMENTS = 5000;

/** What does not change from poll to poll: name, text, bounds of time. */
export type Followed = Pick<StoreQuery, 'name' | 'text' | 'since' | 'until'>;

export class Follower {
  readonly #store: Store;
  readonly #query: Followed;
  readonly #clock: Clock;
  /** Id → event.ingested, of all that a poll may meet again. */
  readonly #seen = new Map<string, number>();
  #latestMs = 0;
  /** The latest, but not ahead of this machine's clock. Never goes back, since what lies before may be forgotten. */
  #nearMs = 0;
  #polls = 0;

  constructor(store: Store, query: Followed, clock: Clock) {
    this.#store = store;
    this.#query = query;
    this.#clock = clock;
  }

  /** By how much what is in the store is ahead of this machine's clock. */
  get aheadMs(): number {
    return Math.max(0, this.#latestMs - this.#clock.epochMs());
  }

  /** Marks all that is in the store by now as seen. `newest`: the last document of the query, if there is one. */
  async start(newest: StoredDocument | undefined, signal: AbortSignal): Promise<void> {
    if (newest === undefined) return;
    this.#latestMs = ingestedMs(newest);
    const all = { ingestedSinceMs: this.#near() - LONG_OVERLAP_MS, order: 'newest', limit: SEEN_MAX / 2 } as const;
    for await (const _ of this.#unseen(all, signal));
  }

  /** Marks a document that was shown otherwise as seen. Returns whether it was new. */
  see(document: StoredDocument): boolean {
    const ingested = ingestedMs(document);
    if (ingested > this.#latestMs) this.#latestMs = ingested;
    if (this.#seen.has(document.id)) return false;
    this.#seen.set(document.id, ingested);
    if (this.#seen.size > SEEN_MAX) this.#forget(SEEN_MAX / 2);
    return true;
  }

  /** Pages of what is new, each in order of time. */
  async *poll(signal: AbortSignal): AsyncGenerator<StoredDocument[]> {
    const long = this.#polls++ % POLLS_PER_OVERLAP === 0;
    const overlapMs = long ? LONG_OVERLAP_MS : SHORT_OVERLAP_MS;
    const nearMs = this.#near();
    const nearEndMs = nearMs + OVERLAP_MS;
    const farMs = this.#latestMs - overlapMs;
    const oldest = { order: 'oldest', limit: Infinity } as const;
    if (farMs <= nearEndMs) yield* this.#unseen({ ...oldest, ingestedSinceMs: nearMs - overlapMs }, signal);
    else {
      // Where the others are is not known to the second.
      const near = { ingestedSinceMs: nearMs - LONG_OVERLAP_MS, ingestedUntilMs: nearEndMs };
      yield* this.#unseen({ ...oldest, ...near }, signal);
      const gap = { ingestedSinceMs: nearEndMs, ingestedUntilMs: farMs };
      if (long) yield* this.#unseen({ order: 'newest', limit: GAP_DOCUMENTS, ...gap }, signal);
      yield* this.#unseen({ ...oldest, ingestedSinceMs: farMs }, signal);
    }
    if (long) this.#forget(SEEN_MAX);
  }

  async *#unseen(range: Omit<StoreQuery, keyof Followed>, signal: AbortSignal): AsyncGenerator<StoredDocument[]> {
    // Nothing was ever found: then whatever is found is new.
    const ingestedSinceMs = Math.max(0, range.ingestedSinceMs ?? 0);
    for await (const { documents } of this.#store.pages({ ...this.#query, ...range, ingestedSinceMs }, signal)) {
      const unseen = documents.filter((document) => this.see(document));
      if (unseen.length > 0) yield range.order === 'oldest' ? unseen : unseen.toReversed();
    }
  }

  #near(): number {
    this.#nearMs = Math.max(this.#nearMs, Math.min(this.#latestMs, this.#clock.epochMs()));
    return this.#nearMs;
  }

  /** Drops ids that no later poll can meet. Beyond `idsMax` it drops the oldest too. */
  #forget(idsMax: number): void {
    const before = this.#near() - LONG_OVERLAP_MS;
    for (const [id, ingested] of this.#seen) if (ingested < before) this.#seen.delete(id);
    for (const id of this.#seen.keys()) {
      if (this.#seen.size <= idsMax) break;
      this.#seen.delete(id);
    }
  }
}
