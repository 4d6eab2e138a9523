// Erases documents from the embedded store, in steps that keep no bulk request waiting for long.

import type { EraseQuery, EraseStep, StoreEraser } from '../erase.ts';
import type { StoredDocument, StoreQuery } from '../store.ts';
import type { EraseCursor } from './erase-steps.ts';
import type { EmbeddedStore } from './store.ts';

const EXAMPLES = 3;
const TOLD_MAX = 20;
/** Documents come in batches: what was under way when it began is there by then. */
const FOUND_AFTER_MS = 1500;
const UNREADABLE = 'may be meant, in blocks that are damaged';
const NONE: ReadonlyMap<string, number> = new Map();

export class EmbeddedEraser implements StoreEraser {
  readonly foundAfterMs = FOUND_AFTER_MS;
  readonly #store: EmbeddedStore;
  readonly #told: ReadonlySet<string>;

  /** `told`: what the store has told until now, such as blocks that are damaged and may have what is meant. */
  constructor(store: EmbeddedStore, told: ReadonlySet<string> = new Set()) {
    this.#store = store;
    this.#told = told;
  }

  count(query: EraseQuery, signal?: AbortSignal): Promise<number> {
    return this.#store.count(whole(query), signal);
  }

  examples(query: EraseQuery, signal?: AbortSignal): Promise<StoredDocument[]> {
    return this.#store.search({ ...query, order: 'newest', limit: EXAMPLES }, signal);
  }

  unreachable(): Promise<string[]> {
    return Promise.resolve([...this.#told].slice(0, TOLD_MAX));
  }

  async *erase(query: EraseQuery, signal?: AbortSignal): AsyncGenerator<EraseStep, void, void> {
    for (let after: EraseCursor | null = null; ;) {
      signal?.throwIfAborted();
      const { erased, unreadable, next } = await this.#store.erase({ query: whole(query), after });
      if (erased > 0 || unreadable > 0)
        yield { erased, refused: unreadable === 0 ? NONE : new Map([[UNREADABLE, unreadable]]) };
      if (next === null) break;
      after = next;
    }
    await this.#store.checkpoint();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
  }
}

function whole(query: EraseQuery): StoreQuery {
  return { ...query, order: 'oldest', limit: Infinity };
}
