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

import type { Clock } from '#shared/clock.ts';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import type { QueueRecord } from '#shared/record/record.ts';
import type { DeadLetter, DeadLetterSpace, FetchedRecord, StoredBy, Queue, ReadOptions } from '../queue.ts';
import { SpoolFeeder } from './feed/spool-feeder.ts';
import type { LocalQueue } from './local/local-queue.ts';
import { encodeSpooledDeadLetter, encodeSpooledRecord, eventsOf } from './local/spool-entry.ts';
import { silentObserver, type SpoolObserver } from './local/spool-observer.ts';
import { LocalAppends } from './local-appends.ts';
import { SeenTopic } from './seen-topic.ts';
import { mayPass, SentAppend, whyNot } from './sent-append.ts';
import { SpoolSpell } from './spool-spell.ts';
import { SpooledDeadLetters } from './spooled-dead-letters.ts';
import type { TopicFigures } from './topic-memory.ts';

const PRODUCE_TIMEOUT_MS = 3000;

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
  /** Throws where the spool is not to store it. */
  toLocal(): {
    readonly records: readonly QueueRecord[];
    readonly events: number;
    /** To be called where none of them could be stored. */
    readonly withdraw?: (() => void) | undefined;
  };
}

export class SpooledQueue implements Queue {
  readonly kind;
  readonly consume: Queue['consume'];
  readonly topics: Queue['topics'];
  readonly #options: SpooledQueueOptions;
  readonly #upstream: Queue;
  readonly #observer: SpoolObserver;
  readonly #feeder: SpoolFeeder;
  readonly #deadLetters: SpooledDeadLetters | null;
  readonly #topic: SeenTopic;
  /** Appends to the local queue that are in flight. */
  #entering = 0;
  /** Appends that the spool holds and upstream has not answered: they end by its own time limit. */
  #late = 0;
  readonly #produceTimeoutMs: number;
  readonly #spell: SpoolSpell;
  readonly #appends: LocalAppends;
  readonly #closing = new AbortController();

  constructor(options: SpooledQueueOptions) {
    this.#options = options;
    this.kind = options.upstream.kind;
    this.consume = (handler, consume) => options.upstream.consume(handler, consume);
    this.topics = options.upstream.topics && (() => options.upstream.topics?.() ?? Promise.resolve([]));
    this.#upstream = options.upstream;
    this.#observer = options.observer ?? silentObserver;
    this.#deadLetters = options.bytesMax === undefined ? null : new SpooledDeadLetters(options.bytesMax);
    this.#produceTimeoutMs = options.produceTimeoutMs ?? PRODUCE_TIMEOUT_MS;
    this.#topic = new SeenTopic(options.upstream, options);
    this.#spell = new SpoolSpell({
      clock: options.clock,
      observer: this.#observer,
      isSpooling: () => this.isSpooling,
      ended: () => this.#deadLetters?.clear(),
    });
    this.#appends = new LocalAppends({
      ...options,
      full: options.full ?? 'push-back',
      dropOldest: (bytes) => this.#feeder.dropOldest(bytes),
    });
    this.#feeder = new SpoolFeeder({
      ...options,
      observer: this.#observer,
      emptied: () => this.#spell.endIfOver(),
    });
    void this.#topic.learnWhenOpened();
  }

  /** Null while an append will be stored; a queue behind that is away is no reason. */
  get unreadyReason(): string | null {
    if (this.#closing.signal.aborted) return 'the queue is closed';
    const upstream = this.#upstream.unreadyReason;
    if (!this.isSpooling && upstream === null) return null;
    const why = this.#appends.unreadyReason;
    return why === null ? null : `${upstream ?? 'the spool is not empty'}; ${why}`;
  }

  /** Of the queue behind it, or of what the spool may hold of them. */
  get deadLetterSpace(): DeadLetterSpace | undefined {
    return this.#upstream.deadLetterSpace ?? this.#deadLetters ?? undefined;
  }

  get partitions(): number {
    return this.#upstream.partitions || this.#topic.figures.partitions;
  }

  get appendBytesMax(): number {
    const upstreamMax = this.#upstream.appendBytesMax || this.#topic.figures.appendBytesMax;
    return Math.min(upstreamMax, this.#appends.bytesMax);
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

  /** Rejects with queue_refused, or with what the spool said where neither could store it. */
  append(partition: number, records: readonly QueueRecord[]): Promise<StoredBy | void> {
    return this.#pass({
      toUpstream: () => this.#upstream.append(this.#topic.present(partition), records),
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
        const records = this.#appends.fragmentsOf(deadLetters).map(encodeSpooledDeadLetter);
        return { records, events: 0, withdraw: this.#deadLetters?.admit(deadLetters, records) };
      },
    });
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
    if (this.isSpooling && this.#late === 0 && this.#feeder.isAlmostEmpty) await this.#spell.park();
    if (!this.isSpooling) return this.#direct(passage);
    try {
      return await this.#spool(passage);
    } catch (error) {
      // The spool that cannot be written was found to hold nothing: no reason to refuse.
      if (this.isSpooling) throw error;
      return passage.toUpstream();
    }
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
    let stored = 0;
    this.#entering++;
    try {
      await this.#appends.append(records, (count) => {
        this.#feeder.stored(count, stored === 0 ? events : 0);
        stored += count;
      });
      this.#spell.report();
      this.#spell.add(events);
      if (sent !== null && !sent.isSettled) this.#await(sent);
      return 'spool';
    } catch (error) {
      if (stored === 0) withdraw?.();
      this.#observer.failing(this.#appends.failed(error));
      throw error;
    } finally {
      this.#entering--;
      this.#spell.endIfOver();
    }
  }

  #localOf(passage: Passage): ReturnType<Passage['toLocal']> {
    try {
      return passage.toLocal();
    } catch (error) {
      this.#spell.endIfOver();
      throw error;
    }
  }

  /** The spool is not left before upstream has said what became of it, so that few such appends are ever in memory. */
  #await({ promise }: SentAppend): void {
    this.#late++;
    const settled = (): void => {
      this.#late--;
      this.#spell.endIfOver();
    };
    promise.then(settled, settled);
  }

  #enter(reason: string): void {
    if (this.#spell.hasStarted) return;
    this.#spell.start(reason, this.#feeder.events);
    if (!this.#feeder.isEmpty) this.#spell.report();
    this.#topic.learn();
  }
}
