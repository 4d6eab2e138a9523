// A queue with a spool in front: what the queue behind (Kafka) does not take in time is appended to a local queue, and
// fed from there in order. One piece of code is used twice: the local queue is the embedded queue on a folder of its
// own.
//
//            spool empty                  append ────────────────────► upstream
//            no answer in time, failed      └──► local ──► feeder ──►
//            spool not empty              append ──► local ──► feeder ──► upstream
//
// Guarantees: an append resolves when upstream or the local queue holds it. As long as the spool holds anything, every
// append goes through it, so that nothing overtakes what waits there: per partition, records appear upstream for the
// first time in the order of their appends, as long as the caller has one append in flight per partition. What upstream
// took although its answer was late is fed again, with the same identity and sequence; readers drop it. A spool that
// cannot be used is never worse than none.

import { randomBytes } from 'node:crypto';
import type { Clock } from '#shared/clock.ts';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import type { QueueRecord } from '#shared/record/record.ts';
import type {
  ConsumeOptions,
  ConsumerHandler,
  DeadLetter,
  DeadLetterSpace,
  FetchedRecord,
  StoredBy,
  Queue,
  QueueConsumer,
  ReadOptions,
} from '../queue.ts';
import type { LocalQueue } from './local/local-queue.ts';
import { recordBytes } from '../headers.ts';
import { fragmentsOf } from '../dead-letter-fragments.ts';
import { mayPass, SentAppend, whyNot } from './sent-append.ts';
import { encodeSpooledDeadLetter, encodeSpooledRecord, eventsOf } from './local/spool-entry.ts';
import { SpoolFeeder } from './feed/spool-feeder.ts';
import { silentObserver, type SpoolObserver } from './local/spool-observer.ts';
import { SpooledDeadLetters } from './spooled-dead-letters.ts';
import { type TopicFigures, UNSEEN_TOPIC } from './topic-memory.ts';

const PRODUCE_TIMEOUT_MS = 3000;
// An entry of the spool is a little larger than its record, which has 128 bytes at least.
const LOCAL_SHARE = 8 / 9;
/** Given up at once when the spool is full, so that not every append has to. */
const DROP_BYTES_MIN = 1024 * 1024;
/** A device that others have filled is not helped by giving up everything. */
const DROPS_MAX = 5;
/** How long an append may wait for a spool that is almost empty. Under load it would never be quite empty otherwise. */
const PARK_MS = 200;
/** Of a dead letter; what is larger is spooled in fragments. */
const SPOOLED_FRAGMENT_BYTES = 512 * 1024;
const FRAGMENT_ID_BYTES = 16;
/** After so long a spool that could not be written is tried again. */
const FAILURE_TOLD_MS = 5000;

export interface SpooledQueueOptions {
  /** The queue behind the spool. It stays open: whoever opened it closes it. */
  readonly upstream: Queue;
  /** Holds the spool, and is used for nothing else. It is left open too. */
  readonly local: LocalQueue;
  readonly clock: Clock;
  readonly random: () => number;
  /** How long upstream may leave an append without an answer. */
  readonly produceTimeoutMs?: number;
  /** What becomes of an append that finds the spool full: it is refused, or the oldest records are given up for it. */
  readonly full?: 'push-back' | 'drop-oldest';
  readonly observer?: SpoolObserver;
  /** What was known of the topic when upstream was reached last. */
  readonly remembered?: TopicFigures;
  /** Upstream tells other figures than those. */
  readonly learned?: (figures: TopicFigures) => void;
  /** Events in the local queue at the start; where absent they are counted as they are read. */
  readonly leftoverEvents?: number | undefined;
  /** Of the spool; where given, dead letters have a share of it only. */
  readonly bytesMax?: number;
  /** What is read ahead of what is fed, for all partitions together. */
  readonly readAheadBytesMax?: number;
}

/** An append in the two forms that it may go on in. */
interface Passage {
  toUpstream(): Promise<StoredBy | void>;
  /** Throws where the spool is not to hold it. */
  toLocal(): {
    readonly records: readonly QueueRecord[];
    readonly events: number;
    /** To be called where none of them could be held. */
    readonly withdraw?: (() => void) | undefined;
  };
}

export class SpooledQueue implements Queue {
  readonly kind;
  readonly #options: SpooledQueueOptions;
  readonly #upstream: Queue;
  readonly #local: LocalQueue;
  readonly #observer: SpoolObserver;
  readonly #feeder: SpoolFeeder;
  readonly #deadLetters: SpooledDeadLetters | null;
  #figures: TopicFigures;
  /** Appends to the local queue that are in flight. */
  #entering = 0;
  /** Appends that the spool holds and upstream has not answered: they end by its own time limit. */
  #late = 0;
  readonly #produceTimeoutMs: number;
  #spell: { readonly sinceMs: number; readonly reason: string; events: number; isTold: boolean } | null = null;
  #failure: { readonly reason: string; readonly atMs: number } | null = null;
  #dropping: Promise<number> | null = null;
  readonly #parked = new Set<() => void>();
  readonly #closing = new AbortController();

  constructor(options: SpooledQueueOptions) {
    this.#options = options;
    this.kind = options.upstream.kind;
    this.#upstream = options.upstream;
    this.#local = options.local;
    this.#observer = options.observer ?? silentObserver;
    this.#deadLetters = options.bytesMax === undefined ? null : new SpooledDeadLetters(options.bytesMax);
    this.#produceTimeoutMs = options.produceTimeoutMs ?? PRODUCE_TIMEOUT_MS;
    this.#figures = options.remembered ?? UNSEEN_TOPIC;
    this.#feeder = new SpoolFeeder({
      upstream: options.upstream,
      local: options.local,
      clock: options.clock,
      random: options.random,
      observer: this.#observer,
      leftoverEvents: options.leftoverEvents,
      readAheadBytesMax: options.readAheadBytesMax,
      emptied: () => this.#endSpell(),
    });
    void this.#learnWhenOpened();
  }

  /** Null while an append will be held; a queue behind that is away is no reason. */
  get unreadyReason(): string | null {
    if (this.#closing.signal.aborted) return 'the queue is closed';
    const upstream = this.#upstream.unreadyReason;
    if (!this.isSpooling && upstream === null) return null;
    const why = this.#localUnreadyReason();
    return why === null ? null : `${upstream ?? 'the spool is not empty'}; ${why}`;
  }

  #localUnreadyReason(): string | null {
    // Where room is made by giving up the oldest, a spool that is full takes more; only a try tells.
    const says = this.#options.full === 'drop-oldest' ? null : this.#local.unreadyReason;
    if (says !== null) return says;
    if (this.#failure === null || (this.#local.kind === 'embedded' && this.#options.full !== 'drop-oldest'))
      return null;
    return this.#options.clock.monotonicMs() - this.#failure.atMs < FAILURE_TOLD_MS ? this.#failure.reason : null;
  }

  /** Of the queue behind it, or of what the spool may hold of them. */
  get deadLetterSpace(): DeadLetterSpace | undefined {
    return this.#upstream.deadLetterSpace ?? this.#deadLetters ?? undefined;
  }

  get partitions(): number {
    return this.#upstream.partitions || this.#figures.partitions;
  }

  get appendBytesMax(): number {
    const upstreamMax = this.#upstream.appendBytesMax || this.#figures.appendBytesMax;
    return Math.min(upstreamMax, Math.floor(this.#local.appendBytesMax * LOCAL_SHARE));
  }

  /** Whether every append goes through the spool. */
  get isSpooling(): boolean {
    return !this.#feeder.isEmpty || this.#entering > 0 || this.#late > 0;
  }

  /** Events in the spool. */
  get events(): number {
    return this.#feeder.events;
  }

  /** When the oldest record of the spool was written, ms since the epoch; null where none was read. */
  get oldestMs(): number | null {
    return this.#feeder.oldestMs;
  }

  /** Resolves when it is known what the spool holds; the queue behind it need not have been reached. */
  async opened(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const aborted = Promise.withResolvers<never>();
    const abort = (): void => aborted.reject(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    await Promise.race([this.#feeder.started, aborted.promise]).finally(() =>
      signal?.removeEventListener('abort', abort),
    );
    if (!this.#feeder.isEmpty) this.#enter('it was not empty at the start');
  }

  /** Rejects with queue_refused, or with what the spool said where neither could hold it. */
  append(partition: number, records: readonly QueueRecord[]): Promise<StoredBy | void> {
    return this.#pass({
      toUpstream: () => this.#upstream.append(this.#present(partition), records),
      toLocal() {
        let events = 0;
        for (const { batches } of records) events += eventsOf(batches);
        return { records: records.map((record) => encodeSpooledRecord(record, partition)), events };
      },
    });
  }

  async appendDeadLetters(deadLetters: readonly DeadLetter[]): Promise<void> {
    await this.#pass({
      toUpstream: () => this.#upstream.appendDeadLetters(deadLetters),
      toLocal: () => {
        const records = this.#spooledParts(deadLetters).map(encodeSpooledDeadLetter);
        return { records, events: 0, withdraw: this.#deadLetters?.admit(deadLetters, records) };
      },
    });
  }

  consume(handler: ConsumerHandler, options: ConsumeOptions): Promise<QueueConsumer> {
    return this.#upstream.consume(handler, options);
  }

  read(options: ReadOptions): AsyncIterable<FetchedRecord> {
    return this.#upstream.read(options);
  }

  /** Stops feeding. What is in the spool stays there. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    await this.#feeder[Symbol.asyncDispose]();
  }

  async #pass(passage: Passage): Promise<StoredBy | void> {
    if (this.#closing.signal.aborted)
      throw new SluiceError('shutting_down', 'Cannot append to the queue: it is closed');
    if (!this.#feeder.isStarted) await this.#openedInTime();
    if (this.isSpooling && this.#late === 0 && this.#feeder.isAlmostEmpty) await this.#park();
    if (!this.isSpooling) return this.#direct(passage);
    try {
      return await this.#spool(passage);
    } catch (error) {
      // The spool that cannot be written was found to hold nothing: no reason to refuse.
      if (this.isSpooling) throw error;
      return passage.toUpstream();
    }
  }

  /** Dead letters that the spool takes record by record, and the queue behind it most likely too. */
  #spooledParts(deadLetters: readonly DeadLetter[]): DeadLetter[] {
    const bytesMax = Math.min(SPOOLED_FRAGMENT_BYTES, Math.floor(this.#local.appendBytesMax / 2));
    return deadLetters.flatMap((deadLetter) => fragmentsOf(deadLetter, bytesMax, () => randomBytes(FRAGMENT_ID_BYTES)));
  }

  async #openedInTime(): Promise<void> {
    const overdue = new AbortController();
    using _limit = this.#options.clock.timer(this.#produceTimeoutMs, () => overdue.abort());
    try {
      await this.opened(AbortSignal.any([overdue.signal, this.#closing.signal]));
    } catch (error) {
      throw new SluiceError('queue_unavailable', 'Cannot append to the queue: its spool was not read yet', {
        cause: error,
      });
    }
  }

  async #direct(passage: Passage): Promise<StoredBy | void> {
    const isUp = this.#upstream.unreadyReason === null && this.#upstream.partitions > 0;
    const sent = isUp ? new SentAppend(passage.toUpstream()) : null;
    const failure = await sent?.outcome(this.#options.clock, this.#produceTimeoutMs);
    if (failure === null) return;
    if (failure !== undefined && !mayPass(failure)) throw failure;
    this.#enter(failure === undefined ? whyNot(this.#upstream, sent) : reasonOf(failure));
    try {
      return await this.#spool(passage, sent);
    } catch (error) {
      if (failure !== undefined) throw error;
      // Without the spool, its sender waits as long as the queue itself needs.
      return sent === null ? passage.toUpstream() : sent.promise;
    }
  }

  async #spool(passage: Passage, sent: SentAppend | null = null): Promise<StoredBy> {
    const { records, events, withdraw } = this.#localOf(passage);
    let isAnyStored = false;
    this.#entering++;
    try {
      let left = events;
      for (const append of this.#appendsOf(records)) {
        await this.#storeLocally(append);
        isAnyStored = true;
        this.#feeder.stored(append.length, left);
        left = 0;
      }
      this.#failure = null;
      this.#tellEntered();
      if (this.#spell) this.#spell.events += events;
      if (sent !== null && !sent.isSettled) this.#await(sent);
      return 'spool';
    } catch (error) {
      if (!isAnyStored) withdraw?.();
      this.#failure = { reason: reasonOf(error), atMs: this.#options.clock.monotonicMs() };
      this.#observer.failing(this.#failure.reason);
      throw error;
    } finally {
      this.#entering--;
      this.#endSpell();
    }
  }

  #localOf(passage: Passage): ReturnType<Passage['toLocal']> {
    try {
      return passage.toLocal();
    } catch (error) {
      this.#endSpell();
      throw error;
    }
  }

  /** What the spool takes at once; only a large dead letter in its fragments is more than that. */
  #appendsOf(records: readonly QueueRecord[]): QueueRecord[][] {
    const appends: QueueRecord[][] = [];
    let bytes = 0;
    for (const record of records) {
      const size = recordBytes(record);
      const last = appends.at(-1);
      if (last && bytes + size <= this.#local.appendBytesMax) {
        last.push(record);
        bytes += size;
      } else {
        appends.push([record]);
        bytes = size;
      }
    }
    return appends;
  }

  async #storeLocally(records: readonly QueueRecord[]): Promise<void> {
    for (let drops = 0; ; drops++) {
      try {
        await this.#local.append(0, records);
        return;
      } catch (error) {
        const isFull = error instanceof SluiceError && error.code === 'queue_full';
        if (!isFull || this.#options.full !== 'drop-oldest' || drops === DROPS_MAX) throw error;
        if ((await this.#makeRoom(records)) === 0) throw error;
      }
    }
  }

  /** Those who find the spool full at the same time make room together. */
  #makeRoom(records: readonly QueueRecord[]): Promise<number> {
    let bytes = DROP_BYTES_MIN;
    for (const { batches, value } of records) bytes += batches.length + value.length;
    this.#dropping ??= this.#feeder.dropOldest(bytes).finally(() => (this.#dropping = null));
    return this.#dropping;
  }

  /** The spool is not left before upstream has said what became of it, so that few such appends are ever in memory. */
  #await({ promise }: SentAppend): void {
    this.#late++;
    const settled = (): void => {
      this.#late--;
      this.#endSpell();
    };
    promise.then(settled, settled);
  }

  /** Resolves when the spool is empty, or when that takes too long. */
  #park(): Promise<void> {
    return new Promise((resolve) => {
      const goOn = (): void => {
        limit[Symbol.dispose]();
        this.#parked.delete(goOn);
        resolve();
      };
      const limit = this.#options.clock.timer(PARK_MS, goOn);
      this.#parked.add(goOn);
    });
  }

  #enter(reason: string): void {
    if (this.#spell !== null) return;
    this.#spell = { sinceMs: this.#options.clock.monotonicMs(), reason, events: this.#feeder.events, isTold: false };
    if (!this.#feeder.isEmpty) this.#tellEntered();
    this.#learn();
  }

  /** Not before it holds something: one that can't be written would be entered and left again and again. */
  #tellEntered(): void {
    if (this.#spell === null || this.#spell.isTold) return;
    this.#spell.isTold = true;
    this.#observer.entered(this.#spell.reason);
  }

  #endSpell(): void {
    if (this.#spell === null || this.isSpooling) return;
    const { sinceMs, events, isTold } = this.#spell;
    this.#spell = null;
    this.#deadLetters?.clear();
    for (const goOn of this.#parked) goOn();
    if (isTold) this.#observer.left({ events, ms: this.#options.clock.monotonicMs() - sinceMs });
  }

  async #learnWhenOpened(): Promise<void> {
    // Rejects only where it is closed before.
    await this.#upstream.opened().catch(() => undefined);
    this.#learn();
  }

  #learn(): void {
    const { partitions, appendBytesMax } = this.#upstream;
    if (partitions === 0) return;
    const isKnown = partitions === this.#figures.partitions && appendBytesMax === this.#figures.appendBytesMax;
    this.#figures = { partitions, appendBytesMax };
    if (!isKnown) this.#options.learned?.(this.#figures);
  }

  /** A partition that was chosen before the topic was reached may be one that it does not have. */
  #present(partition: number): number {
    const { partitions } = this.#upstream;
    return partition < partitions || partitions === 0 ? partition : partition % partitions;
  }
}
