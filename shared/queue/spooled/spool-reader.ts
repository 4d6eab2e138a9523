// Reads a local queue in order, as far ahead as the feeder can use, and commits what is over. It is the only reader of its group:
// what it has read stays in hand over a reassignment, and what then comes again is passed over.
//
// Guarantees: each record is handed over once; a commit never passes a record that is not released. When the local queue was
// damaged and began anew, what is in hand is kept, and what was not read is told as lost.

import { type BackoffLimits, backoffMs } from '#shared/backoff.ts';
import type { Clock } from '#shared/clock.ts';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import type { ConsumerHandler, FetchedBatch, FetchedRecord, Queue, QueueConsumer } from '../queue.ts';
import { type FeedItem, FeedWindow } from './feed-window.ts';

export const SPOOL_GROUP = 'spool';

const FETCH_BYTES_MAX = 2 * 1024 * 1024;
/** Read ahead, so that all partitions have something to do; reading goes on below half of it. */
const WINDOW_BYTES_MAX = 16 * 1024 * 1024;
const PAUSES: BackoffLimits = { baseMs: 100, capMs: 5000 };
// A commit costs a sync, and saves only that records are fed twice after a crash.
const COMMIT_INTERVAL_MS = 100;
const COMMIT_RETRY_MS = 1000;

export interface SpoolReaderOptions {
  readonly local: Queue;
  readonly clock: Clock;
  readonly random: () => number;
  /** Told once: the offset of the first record to be read, and the one after the last, as of now. */
  started(next: number, end: number): void;
  /** Makes an item of a record; null where the record is of no use, and is passed over. */
  read(record: FetchedRecord): FeedItem | null;
  /** What was not read is lost. */
  lost(): void;
  failing(reason: string): void;
}

export class SpoolReader implements ConsumerHandler, AsyncDisposable {
  readonly #options: SpoolReaderOptions;
  readonly #closing = new AbortController();
  #consuming: Promise<void>;
  #consumer: QueueConsumer | null = null;
  #assignment = 0;
  #isStarted = false;
  #isPaused = false;
  #window = new FeedWindow(0);
  /** Offset after the last record that was read. */
  #readTo = 0;
  #committed = 0;
  #isCommitting = false;
  #committing = Promise.resolve();

  constructor(options: SpoolReaderOptions) {
    this.#options = options;
    this.#consuming = this.#consume(0);
  }

  get oldest(): FeedItem | undefined {
    return this.#window.oldest;
  }

  /** What is in hand and was not released, oldest first. */
  held(): FeedItem[] {
    return this.#window.held();
  }

  /** The local queue may forget the item, soon. */
  release(item: FeedItem): void {
    if (item.isReleased) return;
    this.#window.release(item);
    this.#pace();
    if (this.#isCommitting || this.#closing.signal.aborted) return;
    this.#isCommitting = true;
    void this.#commitNowAndThen();
  }

  /** Resolves when the local queue may forget what was released. */
  commit(): Promise<void> {
    const done = this.#committing.then(() => this.#commit());
    this.#committing = done.catch(() => undefined);
    return done;
  }

  assigned(partitions: readonly { partition: number; next: number; end: number }[], assignment: number): void {
    const mine = partitions.find(({ partition }) => partition === 0);
    if (mine === undefined) return;
    this.#assignment = assignment;
    if (!this.#isStarted) {
      this.#isStarted = true;
      this.#begin(mine.next);
      this.#options.started(mine.next, mine.end);
    }
    this.#isPaused = false;
    this.#pace();
  }

  revoked(): void {
    this.#assignment = 0;
  }

  fetched({ records }: FetchedBatch): void {
    for (const record of records) {
      if (record.partition !== 0 || record.offset < this.#readTo) continue;
      this.#readTo = record.offset + 1;
      const item = this.#options.read(record);
      if (item !== null) this.#window.add(item);
    }
    this.#pace();
  }

  failed(error: Error): void {
    this.#assignment = 0;
    this.#consumer = null;
    this.#options.failing(`Cannot read the spool: ${reasonOf(error)}`);
    if (error instanceof SluiceError && error.code === 'queue_damaged') this.#beginAnew();
    this.#consuming = this.#consumeAgain(this.#consuming);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    await this.#consuming;
    // What cannot be committed is fed again after the next start.
    await this.commit().catch(() => undefined);
    await this.#consumer?.[Symbol.asyncDispose]();
  }

  async #consumeAgain(before: Promise<void>): Promise<void> {
    await before;
    await this.#consume(1);
  }

  async #consume(failures: number): Promise<void> {
    const { local, clock, random, failing } = this.#options;
    const { signal } = this.#closing;
    for (let attempt = failures; ; attempt++) {
      if (attempt > 0) await clock.sleep(backoffMs(attempt, PAUSES, random), signal).catch(() => undefined);
      if (signal.aborted) return;
      try {
        this.#consumer = await local.consume(this, { group: SPOOL_GROUP, fetchBytesMax: FETCH_BYTES_MAX });
        return;
      } catch (error) {
        failing(`Cannot read the spool: ${reasonOf(error)}`);
      }
    }
  }

  #begin(next: number): void {
    this.#window = new FeedWindow(next);
    this.#readTo = next;
    this.#committed = next;
  }

  // The items in hand have their bytes; their offsets mean nothing any more.
  #beginAnew(): void {
    for (const item of this.#window.held()) item.isReleased = true;
    this.#begin(0);
    this.#options.lost();
  }

  #pace(): void {
    const { bytes } = this.#window;
    if (!this.#isPaused && bytes >= WINDOW_BYTES_MAX) {
      this.#isPaused = true;
      this.#consumer?.pause([0]);
    } else if (this.#isPaused && bytes < WINDOW_BYTES_MAX / 2) {
      this.#isPaused = false;
      this.#consumer?.resume([0]);
    }
  }

  async #commitNowAndThen(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#closing;
    let pauseMs = COMMIT_INTERVAL_MS;
    while (!signal.aborted && this.#window.next > this.#committed) {
      await clock.sleep(pauseMs, signal).catch(() => undefined);
      pauseMs = COMMIT_INTERVAL_MS;
      await this.commit().catch(() => (pauseMs = COMMIT_RETRY_MS));
    }
    this.#isCommitting = false;
  }

  async #commit(): Promise<void> {
    const window = this.#window;
    const { next } = window;
    if (next <= this.#committed || this.#consumer === null || this.#assignment === 0) return;
    await this.#consumer.commit(this.#assignment, new Map([[0, next]]));
    if (window === this.#window) this.#committed = next;
  }
}
