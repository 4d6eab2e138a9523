// Feeds what a local queue holds to the queue behind the spool: one append per partition in flight, the partitions in
// parallel. What fails is tried again for ever, with growing pauses; what the queue will never take goes to its dead
// letters, so that it holds up nothing.
//
// Guarantees: the local queue forgets a record only when the queue has it, the dead letters have it, or it was counted
// as dropped; records of one partition go in their order; every event that came in goes out by one of `fed`,
// `deadLettered`, `dropped`. It relies on a local queue that holds nothing of an append that it refused.

import assert from 'node:assert/strict';
import { type BackoffLimits, backoffMs } from '#shared/backoff.ts';
import type { Clock } from '#shared/clock.ts';
import { reasonOf } from '#shared/errors.ts';
import type { FetchedRecord, Queue } from '../../queue.ts';
import type { LocalQueue } from '../local/local-queue.ts';
import { decodeSpoolEntry, eventsOf, type SpoolEntry } from '../local/spool-entry.ts';
import type { DropReason, SpoolObserver } from '../local/spool-observer.ts';
import { FeedCounts } from './feed-counts.ts';
import type { FeedItem } from './feed-window.ts';
import { DEAD_LETTERS, PartitionFeed } from './partition-feed.ts';
import { type PartitionFeeds, SpoolReader } from './spool-reader.ts';
import { isRefusal, UpstreamAppends } from './upstream-appends.ts';

/** One append holds up its partition; Kafka's stock limit is a quarter of this. */
const APPEND_BYTES_MAX = 4 * 1024 * 1024;
/** Read ahead, so that all partitions have something to do: the share of one, and what is shared. */
const FEED_BYTES_MAX = 4 * 1024 * 1024;
const FEEDS_BYTES_MAX = 24 * 1024 * 1024;
const FEEDS_MIN = 4;
/** A spool of so few records is empty in a moment, if the queue takes them at all: so recently it has taken some. */
const FEW_RECORDS = 256;
const RECENTLY_MS = 1000;
const PAUSES: BackoffLimits = { baseMs: 100, capMs: 5000 };
/** How long a stop waits for answers that are on their way; what has none by then is fed again after the next start. */
const STOP_WAIT_MS = 1000;

export interface FeederOptions {
  readonly upstream: Queue;
  readonly local: LocalQueue;
  readonly clock: Clock;
  readonly random: () => number;
  readonly observer: SpoolObserver;
  /** Events that the local queue holds at the start; where absent they are counted as they are read. */
  readonly leftoverEvents?: number | undefined;
  /** Read ahead for all partitions together. */
  readonly readAheadBytesMax?: number | undefined;
  /** All that the local queue took is over; called at the start too. */
  emptied(): void;
}

export class SpoolFeeder implements AsyncDisposable {
  readonly #options: FeederOptions;
  readonly #closing = new AbortController();
  readonly #reader: SpoolReader;
  readonly #appends: UpstreamAppends;
  readonly #counts: FeedCounts;
  readonly #feeds = new Map<number, PartitionFeed>();
  readonly #running = new Set<Promise<void>>();
  readonly #started = Promise.withResolvers<void>();
  #fedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: FeederOptions) {
    this.#options = options;
    const { upstream, local, clock, random, observer, leftoverEvents } = options;
    this.#counts = new FeedCounts({ observer, leftoverEvents, emptied: () => options.emptied() });
    this.#appends = new UpstreamAppends(upstream, this.#closing.signal);
    this.#reader = new SpoolReader({
      local,
      clock,
      random,
      started: (next, end) => this.#start(next, end),
      feeds: this.#partitionFeeds(),
      lost: () => this.#counts.lost(),
      failing: (reason) => observer.failing(reason),
    });
  }

  get isStarted(): boolean {
    return this.#counts.isStarted;
  }

  /** Resolves when it is known what the local queue holds. */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  /** Whether all that the local queue took is over. */
  get isEmpty(): boolean {
    return this.#counts.isEmpty;
  }

  /** Whether it will be empty in a moment, if nothing more comes. */
  get isAlmostEmpty(): boolean {
    return this.#counts.records <= FEW_RECORDS && this.#options.clock.monotonicMs() - this.#fedAtMs < RECENTLY_MS;
  }

  /** Events that the local queue holds and the queue behind it does not. */
  get events(): number {
    return this.#counts.events;
  }

  /** When the oldest record in hand was spooled, ms since the epoch; null where none is. */
  get oldestMs(): number | null {
    return this.#reader.oldest?.timestampMs ?? null;
  }

  /** The local queue has taken records. To be called in the step in which that is known. */
  stored(records: number, events: number): void {
    this.#counts.stored(records, events);
  }

  /**
   * Gives up the oldest records, as many as have these bytes, and resolves to their bytes when the local queue may
   * forget them; to 0 where there was nothing in hand to be given up.
   */
  async dropOldest(bytes: number): Promise<number> {
    let freed = 0;
    for (const item of this.#reader.unreleased()) {
      if (freed >= bytes) break;
      freed += item.bytes;
      this.#reader.release(item);
      if (item.isInFlight) item.isGivenUp = true;
      else this.#drop(item, 'spool_full');
    }
    if (freed > 0) await this.#reader.commit();
    return freed;
  }

  /** Stops; what is not over stays in the local queue, which its owner closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    const waited = new AbortController();
    await Promise.race([
      Promise.allSettled(this.#running),
      this.#options.clock.sleep(STOP_WAIT_MS, waited.signal).catch(() => undefined),
    ]);
    waited.abort();
    await this.#reader[Symbol.asyncDispose]();
  }

  #start(next: number, end: number): void {
    this.#counts.start(next, end);
    this.#started.resolve();
  }

  /** What the reader asks: which partition a record is of, and whether that takes more. */
  #partitionFeeds(): PartitionFeeds {
    let entry: SpoolEntry | null = null;
    return {
      partitionOf({ headers, value }) {
        entry = decodeSpoolEntry(headers, value);
        return entry === null ? null : partitionOf(entry);
      },
      takes: (partition) => (this.#feeds.get(partition)?.bufferedBytes ?? 0) < this.#feedBytesMax,
      canAccept: (partition) => (this.#feeds.get(partition)?.bufferedBytes ?? 0) <= this.#feedBytesMax / 2,
      readsOn: () => this.#readsOn,
      take: (record) => this.#take(record, entry),
      met: (record, isUseless) => this.#met(record, isUseless),
      missing: (records) => this.#counts.pass(records),
    };
  }

  get #feedBytesMax(): number {
    const feeds = Math.max(FEEDS_MIN, this.#feeds.size, this.#options.upstream.partitions);
    return Math.min(FEED_BYTES_MAX, (this.#options.readAheadBytesMax ?? FEEDS_BYTES_MAX) / feeds);
  }

  /**
   * Past what a full partition has to leave, as long as another may take something. While nothing is taken at all,
   * reading on would only read the whole spool for nothing.
   */
  get #readsOn(): boolean {
    const { upstream } = this.#options;
    let feeds = 0;
    let full = 0;
    for (const { partition, bufferedBytes } of this.#feeds.values()) {
      if (partition === DEAD_LETTERS) continue;
      feeds++;
      if (bufferedBytes >= this.#feedBytesMax) full++;
    }
    const isAway = upstream.unreadyReason !== null || upstream.partitions === 0;
    return full < (isAway ? 1 : Math.max(upstream.partitions, feeds));
  }

  #met({ offset, headers }: FetchedRecord, isUseless: boolean): void {
    if (isUseless) {
      this.#options.observer.failing(`Cannot feed the record at offset ${offset} of the spool: it is none of a spool`);
      this.#counts.pass(1);
    } else if (this.#counts.isUncounted(offset)) {
      this.#counts.found(eventsOf(headers['batches']));
    }
  }

  #take({ offset, timestampMs, headers, value }: FetchedRecord, entry: SpoolEntry | null): FeedItem {
    assert(entry !== null, 'what is of no partition is not taken');
    const events = eventsOf(headers['batches']);
    const bytes = value.length + (headers['batches']?.length ?? 0);
    const state = { isReleased: false, isGivenUp: false, isInFlight: false, isSettled: false };
    const item: FeedItem = { offset, timestampMs, bytes, events, entry, ...state };
    this.#counts.taken(events);
    this.#toFeed(partitionOf(entry), item);
    return item;
  }

  #toFeed(partition: number, item: FeedItem): void {
    let feed = this.#feeds.get(partition);
    if (!feed) {
      feed = new PartitionFeed(partition);
      this.#feeds.set(partition, feed);
    }
    feed.add(item);
    if (feed.isRunning) return;
    feed.isRunning = true;
    const running = this.#run(feed);
    this.#running.add(running);
    void running.finally(() => this.#running.delete(running));
  }

  async #run(feed: PartitionFeed): Promise<void> {
    const { upstream, clock, random, observer } = this.#options;
    const { signal } = this.#closing;
    // What was read together is sent together.
    await Promise.resolve();
    for (let failures = 0; !signal.aborted;) {
      const group = feed.take(Math.min(APPEND_BYTES_MAX, upstream.appendBytesMax));
      if (group.length === 0) break;
      const failure = await this.#feed(feed, group);
      // What the queue behind says of itself may have changed.
      this.#reader.pace();
      if (failure === null) failures = 0;
      else if (!signal.aborted) {
        observer.stuck(reasonOf(failure));
        await clock.sleep(backoffMs(failures++, PAUSES, random), signal).catch(() => undefined);
      }
    }
    feed.isRunning = false;
  }

  /** Null where the next try may follow at once; else why it must wait. */
  async #feed(feed: PartitionFeed, group: readonly FeedItem[]): Promise<unknown> {
    const [only] = group;
    try {
      const refusal = only && this.#appends.refusalOf(only);
      if (refusal !== undefined) throw refusal;
      await this.#appends.send(feed.partition, group);
      this.#fedAtMs = this.#options.clock.monotonicMs();
      for (const item of group) this.#fed(item);
      return null;
    } catch (error) {
      const isRefused = isRefusal(error);
      const failure = isRefused && only && group.length === 1 ? await this.#feedRefused(feed, only, error) : error;
      if (failure === null) return null;
      for (const item of group) if (item.isGivenUp) this.#drop(item, 'spool_full');
      // Of a group only one may be what is refused.
      feed.putBack(group, { singly: isRefused });
      return isRefused && group.length > 1 ? null : failure;
    }
  }

  /** Null where all of it is stored by now, else why it is not. */
  async #feedRefused(feed: PartitionFeed, item: FeedItem, refusal: unknown): Promise<unknown> {
    const { observer } = this.#options;
    let deadLettered: number;
    try {
      deadLettered = await this.#appends.sendRefused(feed.partition, item, refusal);
    } catch (error) {
      return error;
    }
    this.#settle(item);
    if (deadLettered < item.events) observer.fed(item.events - deadLettered);
    if (deadLettered > 0) observer.deadLettered(deadLettered, reasonOf(refusal));
    return null;
  }

  #fed(item: FeedItem): void {
    this.#settle(item);
    this.#options.observer.fed(item.events);
  }

  #drop(item: FeedItem, reason: DropReason): void {
    this.#settle(item);
    this.#options.observer.dropped(item.events, reason);
  }

  #settle(item: FeedItem): void {
    this.#feeds.get(partitionOf(item.entry))?.settled(item);
    item.isSettled = true;
    item.isInFlight = false;
    this.#counts.settled(item.events);
    this.#reader.release(item);
    this.#counts.reportIfEmpty();
  }
}

function partitionOf(entry: SpoolEntry): number {
  return entry.kind === 'record' ? entry.partition : DEAD_LETTERS;
}
