// The indexer as a service: a member of the consumer group, until it is stopped. Any number of them share the
// partitions; none has state that the queue can't give back. A store or a queue that is away is waited for; nothing
// needs a restart.

import { reasonOf } from '#shared/errors.ts';
import { backoffMs } from '#shared/backoff.ts';
import { endedWithin } from '#shared/abort.ts';
import { TopicReaders } from '../consume/topic-readers.ts';
import { type IndexerCore, type IndexerOptions, buildCore, sourcesOf } from '../pipeline/build-pipeline.ts';
import { fetchBytesMax } from '../unpack/bytes-in-hand.ts';
import type { Ledger } from '../settle/ledger.ts';

export type { IndexerOptions } from '../pipeline/build-pipeline.ts';

export interface Indexer extends AsyncDisposable {
  /** Why nothing is indexed now; null while all is well. */
  readonly unreadyReason: string | null;
  /** Resolves when the indexer has stopped. */
  readonly ended: Promise<void>;
  readonly ledger: Ledger;
  /** Finishes what is in hand within the limit, commits, and leaves the group. */
  stop(): Promise<void>;
}

/**
 * Of the time that a stop may take, this share is for bulk requests; the rest for the last commit and for leaving the
 * group.
 */
const STOP_SHARE = 0.75;
/** And within which the group hears of it: a queue that is frozen answers neither a commit nor a good-bye. */
const LEAVE_SHARE = 0.7;
/** However long the rest has taken. */
const LEAVE_SHARE_MIN = 0.1;

/** Resolves at once, whether or not queue and store can be reached. */
export async function startIndexer(options: IndexerOptions): Promise<Indexer> {
  return new Service(options);
}

class Service implements Indexer {
  readonly ended: Promise<void>;
  readonly #options: IndexerOptions;
  readonly #core: IndexerCore;
  readonly #readers: TopicReaders;
  readonly #ending = Promise.withResolvers<void>();
  readonly #stop = new AbortController();
  readonly #started: Promise<void>;
  #stopped: Promise<void> | null = null;
  #storeUnhealthyReason: string | null = 'the store has not answered yet';

  constructor(options: IndexerOptions) {
    const { config, queue, clock, random } = options;
    this.#options = options;
    this.ended = this.#ending.promise;
    this.#core = buildCore(options, () => this.#readers.ages(clock.epochMs()));
    const { pipeline, budget, telemetry, slots } = this.#core;
    this.#readers = new TopicReaders({
      ...this.#core.commitDelay,
      queue,
      pipeline,
      budget,
      telemetry: telemetry.reading,
      clock,
      random,
      slots,
      ...sourcesOf(config),
      group: config['kafka.group'],
      fetchBytesMax: fetchBytesMax(config['indexer.inflight_max_bytes']),
      toEnds: false,
    });
    telemetry.watchStore(() => this.#storeUnhealthyReason === null && this.#core.writer.unhealthyReason === null);
    this.#started = this.#start();
  }

  get unreadyReason(): string | null {
    const { writer, refusals, opener } = this.#core;
    const { unreadyReason, heldReason } = this.#readers;
    const ofStore = this.#storeUnhealthyReason ?? writer.unhealthyReason ?? writer.commitUnhealthyReason;
    return ofStore ?? refusals.unhealthyReason ?? unreadyReason ?? heldReason ?? opener.unhealthyReason;
  }

  get ledger(): Ledger {
    return this.#core.ledger;
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#end();
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Nothing is read before the store answers: what would be read could go nowhere. */
  async #start(): Promise<void> {
    const { store, queue, clock, random } = this.#options;
    const { signal } = this.#stop;
    let answering = '';
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        answering = await store.ping(signal);
        break;
      } catch (error) {
        if (signal.aborted) return;
        this.#storeUnhealthyReason = `the store is not reached: ${reasonOf(error)}`;
        this.#core.telemetry.storeUnreachable(error);
        await clock.sleep(backoffMs(attempt, { baseMs: 200, capMs: 3000 }, random), signal).catch(() => undefined);
      }
    }
    if (signal.aborted) return;
    this.#storeUnhealthyReason = null;
    this.#core.telemetry.started(answering, queue.kind);
    this.#readers.start();
  }

  async #end(): Promise<void> {
    const { pipeline, telemetry, ledger } = this.#core;
    this.#stop.abort();
    await this.#started;
    this.#readers.halt();
    const { clock, config } = this.#options;
    const limitMs = config['shutdown.timeout_ms'];
    const beganMs = clock.monotonicMs();
    await pipeline.stop(limitMs * STOP_SHARE);
    const leftMs = limitMs * LEAVE_SHARE - (clock.monotonicMs() - beganMs);
    // What is not committed is read again: that is no failure of the stop.
    await endedWithin(this.#readers.leave(), clock, Math.max(leftMs, limitMs * LEAVE_SHARE_MIN));
    telemetry.stopped(ledger);
    this.#ending.resolve();
  }
}
