// Reads a local queue as far ahead as the feeder can use, and commits what is done. It is the only reader of its group:
// after a reassignment it keeps what it has read, and skips what comes again. What the feeder cannot accept stays in
// the local queue and is read again (feed-cursor.ts). So a partition that takes nothing does not delay the others.
//
// Guarantees: each record is taken once, those of a partition in their order; a commit never passes a record that is
// not released. When the local queue was damaged and began anew, what is in hand is kept, and what was not taken is
// reported as lost.

import { type BackoffLimits, backoffMs } from '#shared/backoff.ts';
import type { Clock } from '#shared/clock.ts';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import type { ConsumerHandler, FetchedRecords, FetchedRecord } from '../../queue.ts';
import { FeedCursor, type Wishes } from './feed-cursor.ts';
import { type FeedItem, FeedWindow } from './feed-window.ts';
import type { LocalConsumer, LocalQueue } from '../local/local-queue.ts';

export const SPOOL_GROUP = 'spool';

const FETCH_BYTES_MAX = 2 * 1024 * 1024;
/** What lies behind one that is stuck and is over is removed in steps of so many records, or bytes. */
const FORGET_RECORDS = 512;
const FORGET_BYTES = 4 * 1024 * 1024;
/** Skipping less is not worth a fetch that is thrown away. */
const SKIP_RECORDS_MIN = 16;
const PAUSES: BackoffLimits = { baseMs: 100, capMs: 5000 };
// A commit costs a sync, and saves only that records are fed twice after a crash.
const COMMIT_INTERVAL_MS = 100;
const COMMIT_RETRY_MS = 1000;

/** What the reader asks of whoever feeds. */
export interface PartitionFeeds extends Wishes {
  /** The partition that a record belongs to; null where it is of no use, and is passed over. */
  partitionOf(record: FetchedRecord): number | null;
  /** Whether the partition takes one more. */
  takes(partition: number): boolean;
  /** Makes an item of a record that is taken. */
  take(record: FetchedRecord): FeedItem;
  /** A record was read for the first time; `isUseless` where it belongs to no partition. */
  met(record: FetchedRecord, isUseless: boolean): void;
  /** So many records are not there any more: they were forgotten by an earlier process. */
  missing(records: number): void;
}

export interface SpoolReaderOptions {
  readonly local: LocalQueue;
  readonly feeds: PartitionFeeds;
  readonly clock: Clock;
  readonly random: () => number;
  /** Called once: the offset of the first record to be read, and the one after the last, as of now. */
  started(next: number, end: number): void;
  /** What was not taken is lost. */
  lost(): void;
  failing(reason: string): void;
}

export class SpoolReader implements ConsumerHandler, AsyncDisposable {
  readonly #options: SpoolReaderOptions;
  readonly #closing = new AbortController();
  #consuming: Promise<void>;
  #consumer: LocalConsumer | null = null;
  #assignment = 0;
  #isStarted = false;
  #isPaused = false;
  #isPacing = false;
  #window = new FeedWindow();
  #cursor = new FeedCursor(0);
  #committed = 0;
  /** Offsets that are over and lie behind one that is not, and their bytes. */
  #behind: number[] = [];
  #behindBytes = 0;
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
  unreleased(): FeedItem[] {
    return this.#window.unreleased();
  }

  /** The local queue may forget the item, soon. */
  release(item: FeedItem): void {
    if (item.isReleased) return;
    this.#window.release(item);
    if (item.offset > this.#next) {
      this.#behind.push(item.offset);
      this.#behindBytes += item.bytes;
    }
    this.pace();
  }

  /** Looks anew at what is to be read next, soon; to be called when that may have changed. */
  pace(): void {
    if (this.#isPacing) return;
    this.#isPacing = true;
    queueMicrotask(() => {
      this.#isPacing = false;
      this.#pace();
      this.#commitSoon();
    });
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
    if (this.#isStarted) {
      // It begins where it was committed: what lies between there and the end was met before.
      this.#cursor.seek(Math.min(mine.next, this.#cursor.readTo));
    } else {
      this.#isStarted = true;
      this.#startAt(mine.next);
      this.#options.started(mine.next, mine.end);
    }
    this.#isPaused = false;
    this.pace();
  }

  revoked(): void {
    this.#assignment = 0;
  }

  fetched({ records }: FetchedRecords): void {
    for (const record of records) {
      if (record.partition === 0 && record.offset >= this.#cursor.position) this.#meet(record);
    }
    this.#pace();
    this.#commitSoon();
  }

  #meet(record: FetchedRecord): void {
    const { feeds } = this.#options;
    const { offset } = record;
    const { readTo } = this.#cursor;
    if (offset > readTo) feeds.missing(offset - readTo);
    const partition = feeds.partitionOf(record);
    if (offset >= readTo) feeds.met(record, partition === null);
    if (partition === null) this.#cursor.pass(offset);
    else if (this.#cursor.meet(partition, offset, feeds.takes(partition)) === 'taken')
      this.#window.add(feeds.take(record));
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

  #startAt(next: number): void {
    this.#window = new FeedWindow();
    this.#cursor = new FeedCursor(next);
    this.#committed = next;
    this.#behind = [];
    this.#behindBytes = 0;
  }

  // The items in hand have their bytes; their offsets mean nothing any more.
  #beginAnew(): void {
    for (const item of this.#window.unreleased()) item.isReleased = true;
    this.#startAt(0);
    this.#options.lost();
  }

  /** Offset before which nothing is needed any more. */
  get #next(): number {
    return Math.min(this.#window.oldest?.offset ?? Number.POSITIVE_INFINITY, this.#cursor.floor);
  }

  #pace(): void {
    const consumer = this.#consumer;
    if (consumer === null || this.#assignment === 0) return;
    const { position } = this.#cursor;
    const wanted = this.#cursor.wanted(this.#options.feeds);
    if (wanted === null) {
      if (!this.#isPaused) consumer.pause([0]);
      this.#isPaused = true;
      return;
    }
    if (wanted < position || wanted > position + SKIP_RECORDS_MIN) {
      this.#cursor.seek(wanted);
      consumer.seek(wanted);
    }
    if (this.#isPaused) consumer.resume([0]);
    this.#isPaused = false;
  }

  #commitSoon(): void {
    if (this.#isCommitting || this.#closing.signal.aborted) return;
    if (this.#next <= this.#committed && !this.#isToForget) return;
    this.#isCommitting = true;
    void this.#commitNowAndThen();
  }

  async #commitNowAndThen(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#closing;
    let pauseMs = COMMIT_INTERVAL_MS;
    while (!signal.aborted && (this.#next > this.#committed || this.#isToForget)) {
      await clock.sleep(pauseMs, signal).catch(() => undefined);
      pauseMs = COMMIT_INTERVAL_MS;
      await this.commit().catch(() => (pauseMs = COMMIT_RETRY_MS));
      if (this.#isToForget) await this.#forget().catch(() => (pauseMs = COMMIT_RETRY_MS));
    }
    this.#isCommitting = false;
  }

  async #commit(): Promise<void> {
    const window = this.#window;
    const next = this.#next;
    if (next <= this.#committed || this.#consumer === null || this.#assignment === 0) return;
    await this.#consumer.commit(this.#assignment, new Map([[0, next]]));
    if (window !== this.#window) return;
    this.#committed = next;
    // Those before it go with it.
    if (this.#behind.length > 0) this.#behind = this.#behind.filter((offset) => offset > next);
    if (this.#behind.length === 0) this.#behindBytes = 0;
  }

  get #isToForget(): boolean {
    const { local } = this.#options;
    const isMuch = this.#behind.length >= FORGET_RECORDS || this.#behindBytes >= FORGET_BYTES;
    return isMuch && local.forget !== undefined;
  }

  // One partition that takes nothing would keep all that was fed for the others behind it, until the spool is full.
  async #forget(): Promise<void> {
    const offsets = this.#behind;
    const bytes = this.#behindBytes;
    this.#behind = [];
    this.#behindBytes = 0;
    const window = this.#window;
    try {
      await this.#options.local.forget?.(offsets);
    } catch (error) {
      if (window === this.#window) {
        this.#behind.push(...offsets);
        this.#behindBytes += bytes;
      }
      throw error;
    }
  }
}
