// One client of kafkajs after another, until the consumer is closed: what kafkajs calls a crash ends a client. So does
// a client that holds on to a coordinator that is gone: whoever notices gives it up. Only where the brokers refuse us
// for good does no other client follow.
//
// Guarantees: a client that was given up is not heard any more; each client is fenced before the next one is made.

import type { Clock } from '#shared/clock.ts';
import type { ConsumeOptions } from '../../queue.ts';
import type { QueueObserver } from '../../queue-observer.ts';
import { CONSUMER_FATAL, failureOf, refused, unavailable } from '../broker/failure.ts';
import type { Consumer, EachBatchPayload, Kafka } from '../kafkajs/client.ts';
import { type OffsetKeeper, offsetKeepers } from '../kafkajs/patches/offset-manager.ts';
import { groupClient } from './group-client.ts';

// How long a client that is given up may take to say good-bye: to a coordinator that does not answer it would say it
// for ever.
const LEAVE_PATIENCE_MS = 2000;
/** The same for the owner's own end: a group that hears of it need not wait until the session is over. */
export const CLOSE_PATIENCE_MS = 4000;
const RESTART_PAUSE_FIRST_MS = 500;
const RESTART_PAUSE_MAX_MS = 5000;

export interface ClientSessionsOptions {
  readonly kafka: Kafka;
  readonly topic: string;
  readonly clock: Clock;
  readonly observer: QueueObserver;
  readonly consume: ConsumeOptions;
  readonly isForeign?: boolean;
  /** Aborted by the owner, and here where the brokers refuse us for good. */
  readonly closing: AbortController;
}

/** What the consumer hears of the present client. */
export interface ClientListener {
  /** A new client is made. */
  started(): void;
  /** It has joined and has these partitions; `keeper` commits under its generation. */
  joined(partitions: readonly number[], keeper: OffsetKeeper | null): void;
  /** From here on what it was assigned may be somebody else's. */
  fenced(): void;
  eachBatch(payload: EachBatchPayload): Promise<void>;
  /** Number of the latest assignment: a client that got one has worked. */
  readonly lastAssignment: number;
  /** The brokers refuse us for good. */
  failed(error: Error): void;
}

export class ClientSessions {
  readonly #options: ClientSessionsOptions;
  readonly #listener: ClientListener;
  #consumer: Consumer | null = null;
  #giveUp: (error: unknown) => void = () => undefined;

  constructor(options: ClientSessionsOptions, listener: ClientListener) {
    this.#options = options;
    this.#listener = listener;
  }

  /** The present client, once it has subscribed. */
  get consumer(): Consumer | null {
    return this.#consumer;
  }

  /** Ends the present client, for this reason. */
  giveUp(error: unknown): void {
    this.#giveUp(error);
  }

  /** Resolves when the consumer is closed, and the last client has left. */
  async run(): Promise<void> {
    const { clock, observer, consume, closing } = this.#options;
    // Whoever called `consume` has the consumer in hand before the first callback.
    await new Promise(setImmediate);
    const { signal } = closing;
    let pauseMs = RESTART_PAUSE_FIRST_MS;
    while (!signal.aborted) {
      const before = this.#listener.lastAssignment;
      const error = await this.#session();
      if (signal.aborted) return;
      if (this.#listener.lastAssignment > before) pauseMs = RESTART_PAUSE_FIRST_MS;
      const { code, type, reason } = failureOf(error);
      if (CONSUMER_FATAL.has(type)) {
        closing.abort();
        this.#listener.failed(code === 'queue_unauthorized' ? refused(reason, error) : unavailable(reason, error));
        return;
      }
      observer.consumerRestarts(consume.group, reason);
      await clock.sleep(pauseMs, signal).catch(() => undefined);
      pauseMs = Math.min(pauseMs * 2, RESTART_PAUSE_MAX_MS);
    }
  }

  /** Lives as long as one client; resolves to what ended it, or to null when it was closed. */
  async #session(): Promise<unknown> {
    const { kafka, topic, consume, closing, isForeign = false } = this.#options;
    // What is heard of a client that was given up is not about the one that took its place.
    let isOver = false;
    const fence = (): void => {
      if (!isOver) this.#listener.fenced();
    };
    const { fetchBytesMax, group } = consume;
    const consumer = groupClient(kafka, { group, fetchBytesMax, isForeign }, fence);
    const crashed = Promise.withResolvers<unknown>();
    const closed = new Promise<null>((resolve) => {
      if (closing.signal.aborted) resolve(null);
      else closing.signal.addEventListener('abort', () => resolve(null), { once: true });
    });
    this.#giveUp = crashed.resolve;
    this.#listener.started();
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      const keeper = offsetKeepers.get(payload.memberId) ?? null;
      offsetKeepers.delete(payload.memberId);
      if (isOver || closing.signal.aborted) return;
      this.#listener.joined(payload.memberAssignment[topic] ?? [], keeper);
    });
    consumer.on(consumer.events.REBALANCING, fence);
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      fence();
      crashed.resolve(payload.error);
    });
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      this.#consumer = consumer;
      await consumer.run({
        autoCommit: false,
        // An offset moves on only when its batch was handed over under the assignment it belongs to.
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: 1,
        eachBatch: (payload) => (isOver ? Promise.resolve() : this.#listener.eachBatch(payload)),
      });
      return await Promise.race([crashed.promise, closed]);
    } catch (error) {
      return error;
    } finally {
      isOver = true;
      this.#listener.fenced();
      this.#consumer = null;
      await this.#dismiss(consumer);
    }
  }

  /** The owner's own end waits for the group to know of it, as far as the owner has patience. */
  async #dismiss(consumer: Consumer): Promise<void> {
    const { clock, closing } = this.#options;
    const gone = consumer.disconnect().catch(() => undefined);
    if (closing.signal.aborted) return gone;
    await Promise.race([gone, clock.sleep(LEAVE_PATIENCE_MS, closing.signal).catch(() => undefined)]);
  }
}
