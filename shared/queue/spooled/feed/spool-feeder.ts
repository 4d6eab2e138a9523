// Feeds what a local queue holds to the queue behind the spool: one append per partition in flight, the partitions in
// parallel. What fails is tried again for ever, with growing pauses; what the queue will never take goes to its dead
// dead letters, so that it holds up nothing.
//
// Guarantees: the local queue forgets a record only when the queue has it, the dead letters have it, or it was counted
// as dropped; records of one partition go in their order; every event that came in goes out by one of `fed`,
// `deadLettered`, `dropped`. It relies on a local queue that holds nothing of an append that it refused.

import assert from 'node:assert/strict';
import { type BackoffLimits, backoffMs } from '#shared/backoff.ts';
import type { Clock } from '#shared/clock.ts';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import type { QueueRecord } from '#shared/record/record.ts';
import type { DeadLetter, FetchedRecord, Queue } from '../../queue.ts';
import { PartitionFeed, DEAD_LETTERS } from './partition-feed.ts';
import { recordBytes } from '../../headers.ts';
import type { LocalQueue } from '../local/local-queue.ts';
import type { FeedItem } from './feed-window.ts';
import { deadLettersOfRefused } from './refused-record.ts';
import { decodeSpoolEntry, eventsOf, type SpoolEntry } from '../local/spool-entry.ts';
import type { DropReason, SpoolObserver } from '../local/spool-observer.ts';
import { type PartitionFeeds, SpoolReader } from './spool-reader.ts';
import { splitRecord } from './split-record.ts';

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
  /** All that the local queue took is over; told at the start too. */
  emptied(): void;
}

export class SpoolFeeder implements AsyncDisposable {
  readonly #options: FeederOptions;
  readonly #closing = new AbortController();
  readonly #reader: SpoolReader;
  readonly #feeds = new Map<number, PartitionFeed>();
  readonly #running = new Set<Promise<void>>();
  readonly #started = Promise.withResolvers<void>();
  #isStarted = false;
  #fedAtMs = Number.NEGATIVE_INFINITY;
  /** What lies below was left by an earlier process and is counted when it is read. */
  #uncountedTo = 0;
  #records = 0;
  #events = 0;
  /** Of those, what was read. */
  #recordsInHand = 0;
  #eventsInHand = 0;

  constructor(options: FeederOptions) {
    this.#options = options;
    const { local, clock, random, observer } = options;
    this.#reader = new SpoolReader({
      local,
      clock,
      random,
      started: (next, end) => this.#start(next, end),
      feeds: this.#partitionFeeds(),
      lost: () => this.#lost(),
      failing: (reason) => observer.failing(reason),
    });
  }

  get isStarted(): boolean {
    return this.#isStarted;
  }

  /** Resolves when it is known what the local queue holds. */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  /** Whether all that the local queue took is over. */
  get isEmpty(): boolean {
    return this.#isStarted && this.#records <= 0;
  }

  /** Whether it will be empty in a moment, if nothing more comes. */
  get isAlmostEmpty(): boolean {
    return this.#records <= FEW_RECORDS && this.#options.clock.monotonicMs() - this.#fedAtMs < RECENTLY_MS;
  }

  /** Events that the local queue holds and the queue behind it does not. */
  get events(): number {
    return this.#events;
  }

  /** When the oldest record in hand was spooled, ms since the epoch; null where none is. */
  get oldestMs(): number | null {
    return this.#reader.oldest?.timestampMs ?? null;
  }

  /** The local queue has taken records. To be called in the step in which that is known. */
  stored(records: number, events: number): void {
    this.#records += records;
    this.#events += events;
    this.#options.observer.spooled(events);
    this.#tellIfEmpty();
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
    const { leftoverEvents } = this.#options;
    this.#isStarted = true;
    this.#records += end - next;
    if (leftoverEvents === undefined) this.#uncountedTo = end;
    else this.#found(leftoverEvents);
    this.#started.resolve();
    this.#tellIfEmpty();
  }

  #found(events: number): void {
    if (events === 0) return;
    this.#events += events;
    this.#options.observer.found(events);
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
      missing: (records) => this.#pass(records),
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
      this.#pass(1);
    } else if (offset < this.#uncountedTo) {
      this.#found(eventsOf(headers['batches']));
    }
  }

  /** Records that there is nothing to be done for. */
  #pass(records: number): void {
    this.#records -= records;
    this.#tellIfEmpty();
  }

  #take({ offset, timestampMs, headers, value }: FetchedRecord, entry: SpoolEntry | null): FeedItem {
    assert(entry !== null, 'what is of no partition is not taken');
    const events = eventsOf(headers['batches']);
    const bytes = value.length + (headers['batches']?.length ?? 0);
    const state = { isReleased: false, isGivenUp: false, isInFlight: false, isSettled: false };
    const item: FeedItem = { offset, timestampMs, bytes, events, entry, ...state };
    this.#recordsInHand++;
    this.#eventsInHand += events;
    this.#toFeed(partitionOf(entry), item);
    return item;
  }

  // What is in hand can still be fed.
  #lost(): void {
    const events = this.#events - this.#eventsInHand;
    this.#uncountedTo = 0;
    this.#records = this.#recordsInHand;
    this.#events = this.#eventsInHand;
    this.#options.observer.dropped(events, 'spool_damaged');
    this.#tellIfEmpty();
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
    try {
      await this.#send(feed, group);
      this.#fedAtMs = this.#options.clock.monotonicMs();
      for (const item of group) this.#fed(item);
      return null;
    } catch (error) {
      const [only] = group;
      const isRefused = isRefusal(error);
      const failure = isRefused && only && group.length === 1 ? await this.#deadLetter(feed, only, error) : error;
      if (failure === null) return null;
      for (const item of group) if (item.isGivenUp) this.#drop(item, 'spool_full');
      // Of a group only one may be what is refused.
      feed.putBack(group, { singly: isRefused });
      return isRefused && group.length > 1 ? null : failure;
    }
  }

  async #send(feed: PartitionFeed, group: readonly FeedItem[]): Promise<void> {
    const { upstream } = this.#options;
    if (upstream.partitions === 0) await upstream.opened(this.#closing.signal);
    const records: QueueRecord[] = [];
    const deadLetters: DeadLetter[] = [];
    for (const { entry } of group) {
      if (entry.kind === 'record') records.push(entry.record);
      else deadLetters.push(entry.deadLetter);
    }
    if (deadLetters.length > 0) await upstream.appendDeadLetters(deadLetters);
    // The topic may have fewer partitions than it was thought to have when this was spooled.
    if (records.length > 0) await upstream.append(feed.partition % upstream.partitions, records);
  }

  /**
   * The queue will never take it as it is: in smaller records, and what is refused even alone to the dead letters. Null
   * where all of it is held, else why it is not: where not even the dead letters take it, it is for an operator to find
   * out why.
   */
  async #deadLetter(feed: PartitionFeed, item: FeedItem, refusal: unknown): Promise<unknown> {
    const { upstream, observer } = this.#options;
    const { entry } = item;
    const reason = reasonOf(refusal);
    let deadLettered = item.events;
    try {
      if (entry.kind === 'record') {
        const refused = await splitRecord(entry.record, (piece) => this.#takes(feed, piece));
        const deadLetters: DeadLetter[] = [];
        for (const piece of refused) deadLetters.push(...(await deadLettersOfRefused(piece, reason)));
        if (deadLetters.length > 0) await upstream.appendDeadLetters(deadLetters);
        if (refused[0] !== entry.record) deadLettered = refused.length;
      } else await upstream.appendDeadLetters([entry.deadLetter]);
    } catch (error) {
      return error;
    }
    this.#settle(item);
    if (deadLettered < item.events) observer.fed(item.events - deadLettered);
    if (deadLettered > 0) observer.deadLettered(deadLettered, reason);
    return null;
  }

  /** False where the queue refuses it: it may take less than it says. */
  async #takes(feed: PartitionFeed, piece: QueueRecord): Promise<boolean> {
    const { upstream } = this.#options;
    if (recordBytes(piece) > upstream.appendBytesMax) return false;
    // Whoever stops does not wait for many pieces.
    this.#closing.signal.throwIfAborted();
    try {
      await upstream.append(feed.partition % upstream.partitions, [piece]);
      return true;
    } catch (error) {
      if (isRefusal(error)) return false;
      throw error;
    }
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
    this.#records--;
    this.#recordsInHand--;
    this.#events -= item.events;
    this.#eventsInHand -= item.events;
    this.#reader.release(item);
    this.#tellIfEmpty();
  }

  #tellIfEmpty(): void {
    if (this.isEmpty) this.#options.emptied();
  }
}

function partitionOf(entry: SpoolEntry): number {
  return entry.kind === 'record' ? entry.partition : DEAD_LETTERS;
}

/** Whether the queue said that it will never take this very thing. What an operator can mend has other codes. */
function isRefusal(error: unknown): boolean {
  return error instanceof SluiceError && error.code === 'queue_refused';
}
