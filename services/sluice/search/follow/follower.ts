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
// Where nothing came for a while, something may have held it back, such as an index that refused writes. Then indexers
// try again one after another, and what the last of them has was written before what the first one brings. So after a
// pause the long polls look back to before it, for as long as an indexer waits at most. They never look back to where
// ids were forgotten: this machine may have slept, and what came meanwhile may be more than can be remembered.
//
// Guarantees: nothing twice; nothing missed that is found within OVERLAP_MS of documents ingested after it, where the
// clock that ingested it is right. Of more than SEEN_MAX documents ahead of this machine's clock the first may come
// again, when it has got there.

import type { Clock } from '#shared/clock.ts';
import type { ReadableStore, StoredDocument, StoreQuery } from '#shared/store/store.ts';
import { ingestedMs } from '../../output/document-text.ts';

/** Promised in docs/guarantees.md. A poll that reaches back so far is costly, so only one of several does. */
const OVERLAP_MS = 10_000;
const POLLS_PER_OVERLAP = 10;
/** Enough for Elasticsearch's refresh of a second and a bulk request before it. */
const SHORT_OVERLAP_MS = 3000;
/** The ten polls between two long ones must not eat into the overlap. */
const LONG_OVERLAP_MS = OVERLAP_MS + 3000;
/** A refused index is tried again at least every 30 s (PATIENCE of the indexer's retry-queues.ts). */
const HELD_BACK_MS = 40_000;
/** The intervals above are for this one. */
const REFRESH_INTERVAL_MS = 1000;
/** Ids that are kept at most: some hundred MB. Without clocks that are wrong it would be 70,000 documents a second. */
const SEEN_MAX = 1_000_000;
/** So many of the gap are read by a poll: new documents there have the latest times. */
const GAP_DOCUMENTS = 5000;

/** What does not change from poll to poll: name, text, bounds of time. */
export type Followed = Pick<StoreQuery, 'name' | 'tenant' | 'text' | 'where' | 'since' | 'until' | 'by'>;

export interface FollowerOptions {
  /** Of the store, where it has one. */
  readonly refreshIntervalMs?: number;
  readonly seenMax?: number;
}

/** A time in which nothing came: what came last before it, and until when to look back to there. */
interface Pause {
  readonly nearMs: number;
  readonly endsMs: number;
}

export class Follower {
  readonly #store: ReadableStore;
  readonly #query: Followed;
  readonly #clock: Clock;
  /** Id → event.ingested, of all that a poll may meet again. */
  readonly #seen = new Map<string, number>();
  #latestMs = 0;
  /** The latest, but not ahead of this machine's clock. Never goes back, since what lies before may be forgotten. */
  #nearMs = 0;
  #polls = 0;
  #pauses: Pause[] = [];
  #polledNearMs = 0;
  /** The latest time, up to #near, of which ids were forgotten. */
  #forgottenMs = 0;
  readonly #seenMax: number;
  /** By how much later than usual the store finds what was written. */
  readonly #lateMs: number;

  constructor(
    store: ReadableStore,
    query: Followed,
    clock: Clock,
    { refreshIntervalMs = REFRESH_INTERVAL_MS, seenMax = SEEN_MAX }: FollowerOptions = {},
  ) {
    this.#store = store;
    this.#query = query;
    this.#clock = clock;
    this.#lateMs = Math.max(0, refreshIntervalMs - REFRESH_INTERVAL_MS);
    this.#seenMax = seenMax;
  }

  /** By how much what is in the store is ahead of this machine's clock. */
  get aheadMs(): number {
    return Math.max(0, this.#latestMs - this.#clock.epochMs());
  }

  /** Marks all that is in the store by now as seen. `newest`: the last document of the query, if there is one. */
  async start(newest: StoredDocument | undefined, signal: AbortSignal): Promise<void> {
    if (newest === undefined) return;
    this.#latestMs = ingestedMs(newest);
    this.#polledNearMs = this.#near();
    const all = { ingestedSinceMs: this.#longFromMs(), order: 'newest', limit: this.#seenMax / 2 } as const;
    for await (const _ of this.#unseen(all, signal));
  }

  /** Marks a document that was shown otherwise as seen. Returns whether it was new. */
  see(document: StoredDocument): boolean {
    const ingested = ingestedMs(document);
    if (ingested > this.#latestMs) this.#latestMs = ingested;
    if (this.#seen.has(document.id)) return false;
    this.#seen.set(document.id, ingested);
    if (this.#seen.size > this.#seenMax) this.#forget(this.#seenMax / 2);
    return true;
  }

  /** Pages of what is new, each in order of time. */
  async *poll(signal: AbortSignal): AsyncGenerator<StoredDocument[]> {
    const long = this.#polls++ % POLLS_PER_OVERLAP === 0;
    const overlapMs = (long ? LONG_OVERLAP_MS : SHORT_OVERLAP_MS) + this.#lateMs;
    const nearMs = this.#near();
    this.#notePause(nearMs);
    const nearEndMs = nearMs + OVERLAP_MS;
    const farMs = this.#latestMs - overlapMs;
    const oldest = { order: 'oldest', limit: Infinity } as const;
    if (long) yield* this.#heldBack(this.#longFromMs(nearMs), signal);
    if (farMs <= nearEndMs) yield* this.#unseen({ ...oldest, ingestedSinceMs: nearMs - overlapMs }, signal);
    else {
      // Where the others are is not known to the second.
      const near = { ingestedSinceMs: this.#longFromMs(nearMs), ingestedUntilMs: nearEndMs };
      yield* this.#unseen({ ...oldest, ...near }, signal);
      const gap = { ingestedSinceMs: nearEndMs, ingestedUntilMs: farMs };
      if (long) yield* this.#unseen({ order: 'newest', limit: GAP_DOCUMENTS, ...gap }, signal);
      yield* this.#unseen({ ...oldest, ingestedSinceMs: farMs }, signal);
    }
    if (long) this.#forget(this.#seenMax);
  }

  /** What has come since into the time from before a pause until then. */
  async *#heldBack(untilMs: number, signal: AbortSignal): AsyncGenerator<StoredDocument[]> {
    const sinceMs = Math.max(this.#lookBackMs(), this.#forgottenMs + 1);
    if (sinceMs >= untilMs) return;
    const range = { order: 'oldest', limit: Infinity, ingestedSinceMs: sinceMs, ingestedUntilMs: untilMs } as const;
    // What is forgotten meanwhile must not look new.
    yield* this.#unseen(range, signal, (document) => ingestedMs(document) > this.#forgottenMs);
  }

  async *#unseen(
    range: Omit<StoreQuery, keyof Followed>,
    signal: AbortSignal,
    isWanted: (document: StoredDocument) => boolean = () => true,
  ): AsyncGenerator<StoredDocument[]> {
    // Nothing was ever found: then whatever is found is new.
    const ingestedSinceMs = Math.max(0, range.ingestedSinceMs ?? 0);
    for await (const { documents } of this.#store.pages({ ...this.#query, ...range, ingestedSinceMs }, signal)) {
      const unseen = documents.filter((document) => isWanted(document) && this.see(document));
      if (unseen.length > 0) yield range.order === 'oldest' ? unseen : unseen.toReversed();
    }
  }

  #near(): number {
    this.#nearMs = Math.max(this.#nearMs, Math.min(this.#latestMs, this.#clock.epochMs()));
    return this.#nearMs;
  }

  /** From when on a long poll asks for all. */
  #longFromMs(nearMs = this.#near()): number {
    return nearMs - LONG_OVERLAP_MS - this.#lateMs;
  }

  /** From when on it asks where there were pauses. */
  #lookBackMs(): number {
    return this.#longFromMs(this.#pauses.reduce((least, pause) => Math.min(least, pause.nearMs), this.#near()));
  }

  #notePause(nearMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    this.#pauses = this.#pauses.filter(({ endsMs }) => endsMs > nowMs);
    if (nearMs - this.#polledNearMs > SHORT_OVERLAP_MS)
      this.#pauses.push({ nearMs: this.#polledNearMs, endsMs: nowMs + HELD_BACK_MS + this.#lateMs });
    this.#polledNearMs = nearMs;
  }

  /** Drops ids that no later poll can meet. Beyond `idsMax` it looks back to no pause, and drops the oldest too. */
  #forget(idsMax: number): void {
    const nearMs = this.#near();
    this.#notePause(nearMs);
    this.#forgetBefore(this.#lookBackMs());
    if (this.#seen.size > idsMax) {
      this.#pauses = [];
      this.#forgetBefore(this.#lookBackMs());
    }
    for (const [id, ingested] of this.#seen) {
      if (this.#seen.size <= idsMax) break;
      this.#seen.delete(id);
      if (ingested <= nearMs) this.#forgottenMs = Math.max(this.#forgottenMs, ingested);
    }
  }

  #forgetBefore(beforeMs: number): void {
    for (const [id, ingested] of this.#seen) if (ingested < beforeMs) this.#seen.delete(id);
    this.#forgottenMs = Math.max(this.#forgottenMs, beforeMs - 1);
  }
}
