// Follows a query: gives each document that is new to the store, once.
//
// The order of `@timestamp` is no help (a document may come late), so it goes by `event.ingested`: each poll asks for what was
// ingested up to an overlap before the latest that was seen, and leaves out the ids that were seen. Several indexers, their
// clocks, and the time until a written document can be found must fit into the overlap. The clock of this machine plays no part.
//
// Guarantees: nothing twice; nothing missed that is found within OVERLAP_MS of documents ingested after it.

import type { Store, StoredDocument, StoreQuery } from '#shared/store/store.ts';
import { ingestedMs } from '../output/document-text.ts';

/** As contract.md has it; polls that look back so far are costly, so only one of several does. */
const OVERLAP_MS = 10_000;
const POLLS_PER_OVERLAP = 10;
/** Enough for Elasticsearch's refresh of a second and a bulk request before it. */
const SHORT_OVERLAP_MS = 3000;
/** The ten polls between two long ones must not eat into the overlap. */
const LONG_OVERLAP_MS = OVERLAP_MS + 3000;
const PAGE = 1000;

/** What does not change from poll to poll: name, text, bounds of time. */
export type Followed = Pick<StoreQuery, 'name' | 'text' | 'since' | 'until'>;

export class Follower {
  readonly #store: Store;
  readonly #query: Followed;
  /** Id → event.ingested, of all within the overlap. */
  readonly #seen = new Map<string, number>();
  #latestMs = 0;
  #polls = 0;

  constructor(store: Store, query: Followed) {
    this.#store = store;
    this.#query = query;
  }

  /** Takes all that is in the store by now as seen. `newest`: the last document of the query, if there is one. */
  async begin(newest: StoredDocument | undefined, signal: AbortSignal): Promise<void> {
    if (newest === undefined) return;
    this.#latestMs = ingestedMs(newest);
    for await (const _ of this.#unseen(LONG_OVERLAP_MS, signal));
  }

  /** Takes a document that was shown otherwise as seen. Returns whether it was not. */
  see(document: StoredDocument): boolean {
    const ingested = ingestedMs(document);
    if (ingested > this.#latestMs) this.#latestMs = ingested;
    if (this.#seen.has(document.id)) return false;
    this.#seen.set(document.id, ingested);
    return true;
  }

  /** Pages of what is new, each in order of time. */
  async *poll(signal: AbortSignal): AsyncGenerator<StoredDocument[]> {
    const long = this.#polls++ % POLLS_PER_OVERLAP === 0;
    yield* this.#unseen(long ? LONG_OVERLAP_MS : SHORT_OVERLAP_MS, signal);
    if (long) this.#forget();
  }

  async *#unseen(overlapMs: number, signal: AbortSignal): AsyncGenerator<StoredDocument[]> {
    // Nothing was ever found: then whatever is found is new.
    const ingestedSinceMs = Math.max(0, this.#latestMs - overlapMs);
    const query: StoreQuery = { ...this.#query, ingestedSinceMs, order: 'oldest', limit: PAGE };
    let page = await this.#store.search(query, signal);
    for (;;) {
      const unseen = page.filter((document) => this.see(document));
      if (unseen.length > 0) yield unseen;
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE) return;
      page = await this.#store.search({ ...query, after: last.sort }, signal);
    }
  }

  /** Ids that no later poll can meet. */
  #forget(): void {
    const before = this.#latestMs - LONG_OVERLAP_MS;
    for (const [id, ingested] of this.#seen) if (ingested < before) this.#seen.delete(id);
  }
}
