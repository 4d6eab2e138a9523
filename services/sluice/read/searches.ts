// Where answers are made: those of the embedded store in a thread, which is there only while somebody searches; those
// of Elasticsearch in the process, for there the work is another machine's.
//
// Guarantees: an answer that is not wanted any more ends, and only then is it over for whoever counts them. A thread
// that ends (it may take so much memory and no more) fails the answers that it was making; the next one gets another.

import { reasonOf, SluiceError } from '#shared/errors.ts';
import { unlessAborted } from '#shared/abort.ts';
import type { Clock } from '#shared/clock.ts';
import { startWorker, type WorkerThread } from '#shared/sqlite/worker-thread.ts';
import type { Store } from '#shared/store/store.ts';
import { answer } from './answers.ts';
import { MemoryShares } from './bounds/memory-shares.ts';
import type { ReadRequest } from './request.ts';
import type { SearchThread, SearchThreadOptions } from './search-thread.ts';

export interface Searches extends AsyncDisposable {
  /** Which store it is: it has cursors of its own. */
  readonly store: Store['kind'];
  /** The answer in pieces, each made when it is asked for. Rejects with a SluiceError, or the signal's reason. */
  answer(request: ReadRequest, signal: AbortSignal): AsyncGenerator<Uint8Array, void, void>;
}

export interface ThreadOptions extends SearchThreadOptions {
  readonly clock: Clock;
  /** Resolves when something may have come into the store; see `Store.nextArrival`. */
  readonly nextArrival: () => Promise<void>;
  /** Of damage in the store. */
  readonly warn: (message: string) => void;
}

/** Where answers are made in the process itself: whoever takes logs in waits while they are put in order. */
const KEPT_HERE_MAX = 64 * 1024 * 1024;
/** How long the thread waits for the next search. */
const IDLE_MS = 60_000;
/** How long a stop waits for what the thread is at: one step of a search may take far longer, and nobody wants it. */
const END_MS = 500;
/** Of the thread's heap: a count of many groups takes the most. */
const HEAP_MB = 512;

type Thread = WorkerThread<SearchThread>;

export class ThreadSearches implements Searches {
  readonly store = 'embedded';
  readonly #options: ThreadOptions;
  #thread: Promise<Thread> | null = null;
  #open = 0;
  #tails = 0;
  #isTelling = false;
  #lastId = 0;
  #idle: Disposable | null = null;

  constructor(options: ThreadOptions) {
    this.#options = options;
  }

  async *answer(request: ReadRequest, signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    const id = ++this.#lastId;
    const isTail = request.kind === 'tail';
    this.#open += 1;
    if (isTail) this.#tails += 1;
    this.#idle?.[Symbol.dispose]();
    try {
      const thread = await this.#started();
      if (isTail && !this.#isTelling) void this.#tell();
      try {
        await asked(thread.call('open', { id, request }));
        for (;;) {
          signal.throwIfAborted();
          const piece = await unlessAborted(asked(thread.call('next', id)), signal);
          if (piece === null) return;
          yield piece;
        }
      } finally {
        await thread.call('close', id).catch(() => undefined);
      }
    } finally {
      this.#open -= 1;
      if (isTail) this.#tails -= 1;
      if (this.#open === 0) this.#idle = this.#options.clock.timer(IDLE_MS, () => void this.#end());
    }
  }

  /** Wakes the tails, one commit after another or several at once. */
  async #tell(): Promise<void> {
    this.#isTelling = true;
    let next = this.#options.nextArrival();
    while (this.#tails > 0) {
      await next;
      next = this.#options.nextArrival();
      const thread = await this.#thread?.catch(() => null);
      // Whoever asks it for pieces hears that it is gone.
      if (this.#tails > 0) await thread?.call('arrived', null).catch(() => undefined);
    }
    this.#isTelling = false;
  }

  async #started(): Promise<Thread> {
    this.#thread ??= this.#start();
    try {
      return await this.#thread;
    } catch (error) {
      this.#thread = null;
      throw error;
    }
  }

  #start(): Promise<Thread> {
    const { dataDir, warn } = this.#options;
    return startWorker<SearchThread>('search-thread', import.meta.url, { dataDir } satisfies SearchThreadOptions, {
      heapMbMax: HEAP_MB,
      onNotice: (message) => warn(String(message)),
      onDeath: (error) => {
        this.#thread = null;
        warn(`the thread that searches has ended: ${reasonOf(error)}; the next search starts another`);
      },
    });
  }

  async #end(): Promise<void> {
    const ending = this.#thread;
    this.#thread = null;
    const thread = await ending?.catch(() => null);
    using _limit = this.#options.clock.timer(END_MS, () => void thread?.kill());
    await thread?.[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#idle?.[Symbol.dispose]();
    await this.#end();
  }
}

/** A dead thread rejects with an error of Node's. */
async function asked<T>(answered: Promise<T>): Promise<T> {
  try {
    return await answered;
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    throw new SluiceError('store_unavailable', `Cannot search: ${reasonOf(error)}`, { cause: error });
  }
}

export class DirectSearches implements Searches {
  readonly store: Store['kind'];
  readonly #source: Parameters<typeof answer>[0];

  /** The store's owner closes it. */
  constructor(store: Store, clock: Clock) {
    this.store = store.kind;
    const foundAfterMs = async (signal: AbortSignal) => (await store.foundAfterMs?.(signal)) ?? 0;
    const memory = new MemoryShares(KEPT_HERE_MAX);
    this.#source = { store, kind: store.kind, clock, foundAfterMs, memory, isDamaged: () => false };
  }

  async *answer(request: ReadRequest, signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    const encoder = new TextEncoder();
    for await (const piece of answer(this.#source, request, signal)) yield encoder.encode(piece);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing is its own.
  }
}
