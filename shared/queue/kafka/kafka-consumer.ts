// A member of a consumer group. What is fetched goes straight to the handler; offsets are committed only when asked.
//
// Guarantees: records of a partition are handed over in order without gaps under one assignment; a commit carries the
// generation under which its records were fetched, or is refused with assignment_lost. For that, the assignment is void
// before the next request to join the group leaves this process, and no commit is ever repeated by kafkajs itself, which
// would stamp it anew. When kafkajs gives up, or holds on to a coordinator of the group that is gone, a new client takes its place,
// unless the brokers refuse us for good.

import type { Clock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import type { ConsumeOptions, ConsumerHandler, FetchedRecord, QueueConsumer } from '../queue.ts';
import { type Assignment, Assignments } from './assignments.ts';
import { fetchedRecord, ownRecord } from './fetched-records.ts';
import { readStands } from './group-offsets.ts';
import { CONSUMER_FATAL, failureOf, GENERATION_LOST } from './failure.ts';
import {
  type Admin,
  type Consumer,
  type EachBatchPayload,
  fencedAssigner,
  fetchedOffset,
  type Kafka,
} from './kafkajs.ts';

// After a broker's restart the group waits so long for the members that it had before.
const SESSION_TIMEOUT_MS = 15_000;
const REBALANCE_TIMEOUT_MS = 60_000;
const HEARTBEAT_INTERVAL_MS = 1000;
// The longest that a paused partition waits after its resume, and the pause of the polls when there is nothing.
const POLL_MS = 250;
const COMMIT_TRIES = 4;
const COMMIT_PAUSE_MS = 200;
// kafkajs asks the coordinator that it knows for minutes before it looks for the one that took over. Brokers that do not hear of
// one of them take it for dead after 9 s; one that is only restarted is back sooner.
const COORDINATOR_PATIENCE_MS = 10_000;
// How long a client that is given up may take to say good-bye: to a coordinator that does not answer it would say it for ever.
const LEAVE_PATIENCE_MS = 2000;
const RESTART_PAUSE_FIRST_MS = 500;
const RESTART_PAUSE_MAX_MS = 5000;
const ANNOUNCE_PAUSE_MS = 500;

export interface ConsumerDependencies {
  readonly kafka: Kafka;
  readonly topic: string;
  readonly clock: Clock;
  withAdmin<T>(work: (admin: Admin) => Promise<T>): Promise<T>;
  warn(message: string): void;
}

type CommitOffsets = EachBatchPayload['commitOffsetsIfNecessary'];

export class KafkaConsumer implements QueueConsumer {
  readonly #needs: ConsumerDependencies;
  readonly #handler: ConsumerHandler;
  readonly #options: ConsumeOptions;
  readonly #assignments = new Assignments();
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #consumer: Consumer | null = null;
  /** Ends the present client, for this reason. */
  #giveUp: (error: unknown) => void = () => undefined;
  /** On the monotonic clock: since when no commit of the present client was taken, if none was. */
  #commitsFailSinceMs: number | null = null;
  /** Commits once, under the generation of the batch that it came with. */
  #commitOffsets: { readonly assignment: Assignment; readonly call: CommitOffsets } | null = null;

  constructor(needs: ConsumerDependencies, handler: ConsumerHandler, options: ConsumeOptions) {
    this.#needs = needs;
    this.#handler = handler;
    this.#options = options;
    this.#running = this.#run();
  }

  pause(partitions: readonly number[]): void {
    this.#withHeld(partitions, (consumer, topicPartitions) => consumer.pause([topicPartitions]));
  }

  resume(partitions: readonly number[]): void {
    this.#withHeld(partitions, (consumer, topicPartitions) => consumer.resume([topicPartitions]));
  }

  async commit(assignment: number, nextOffsets: ReadonlyMap<number, number>): Promise<void> {
    const partitions = [...nextOffsets].map(([partition, next]) => ({ partition, offset: String(next) }));
    const offsets = { topics: [{ topic: this.#needs.topic, partitions }] };
    const beganMs = this.#needs.clock.monotonicMs();
    for (let tries = 1; ; tries++) {
      // From this check to the request's bytes nothing else runs, so the generation is the assignment's.
      const held = this.#assignments.held;
      if (held === null || held.number !== assignment) throw lost(assignment);
      if (partitions.length === 0) return;
      const commit = this.#commitOffsets;
      try {
        if (commit === null || commit.assignment !== held) throw unavailable('nothing was fetched yet');
        await commit.call(offsets);
        this.#commitsFailSinceMs = null;
        return;
      } catch (error) {
        const { type, retryable, reason } = failureOf(error);
        if (GENERATION_LOST.has(type)) throw lost(assignment, error);
        if (this.#assignments.held === held && commit !== null) this.#commitFailed(beganMs, error);
        if (!retryable || tries === COMMIT_TRIES) throw unavailable(reason, error);
      }
      await this.#needs.clock.sleep(COMMIT_PAUSE_MS * tries, this.#closing.signal).catch(() => undefined);
    }
  }

  #commitFailed(beganMs: number, error: unknown): void {
    this.#commitsFailSinceMs ??= beganMs;
    if (this.#needs.clock.monotonicMs() - this.#commitsFailSinceMs >= COORDINATOR_PATIENCE_MS) this.#giveUp(error);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.#assignments.void();
    await this.#running;
  }

  // One client after another until it is closed: what kafkajs calls a crash ends a client.
  async #run(): Promise<void> {
    // Whoever called `consume` has the consumer in hand before the first callback.
    await new Promise(setImmediate);
    const { signal } = this.#closing;
    let pauseMs = RESTART_PAUSE_FIRST_MS;
    while (!signal.aborted) {
      const before = this.#assignments.last;
      const error = await this.#session();
      if (signal.aborted) return;
      if (this.#assignments.last > before) pauseMs = RESTART_PAUSE_FIRST_MS;
      const { type, reason } = failureOf(error);
      if (CONSUMER_FATAL.has(type)) {
        this.#closing.abort();
        this.#handler.failed(unavailable(reason, error));
        return;
      }
      this.#needs.warn(`The consumer of group ${this.#options.group} starts again: ${reason}`);
      await this.#needs.clock.sleep(pauseMs, signal).catch(() => undefined);
      pauseMs = Math.min(pauseMs * 2, RESTART_PAUSE_MAX_MS);
    }
  }

  /** Lives as long as one client; resolves to what ended it, or to null when it was closed. */
  async #session(): Promise<unknown> {
    // What is heard of a client that was given up is not about the one that took its place.
    let isOver = false;
    const consumer = this.#createConsumer(() => {
      if (!isOver) this.#fence();
    });
    const crashed = Promise.withResolvers<unknown>();
    const closed = new Promise<null>((resolve) => {
      if (this.#closing.signal.aborted) resolve(null);
      else this.#closing.signal.addEventListener('abort', () => resolve(null), { once: true });
    });
    this.#giveUp = crashed.resolve;
    this.#commitsFailSinceMs = null;
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      if (!isOver) this.#joined(payload.memberAssignment[this.#needs.topic] ?? []);
    });
    consumer.on(consumer.events.REBALANCING, () => {
      if (!isOver) this.#fence();
    });
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (!isOver) this.#fence();
      crashed.resolve(payload.error);
    });
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [this.#needs.topic], fromBeginning: true });
      this.#consumer = consumer;
      await consumer.run({
        autoCommit: false,
        // An offset moves on only when its batch was handed over under the assignment it belongs to.
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: 1,
        eachBatch: (payload) => (isOver ? Promise.resolve() : this.#eachBatch(payload)),
      });
      return await Promise.race([crashed.promise, closed]);
    } catch (error) {
      return error;
    } finally {
      isOver = true;
      this.#fence();
      this.#consumer = null;
      await this.#dismiss(consumer);
    }
  }

  /** The owner's own end waits for the group to know of it, as far as the owner has time. */
  async #dismiss(consumer: Consumer): Promise<void> {
    const gone = consumer.disconnect().catch(() => undefined);
    if (this.#closing.signal.aborted) return gone;
    await Promise.race([gone, this.#needs.clock.sleep(LEAVE_PATIENCE_MS, this.#closing.signal).catch(() => undefined)]);
  }

  #createConsumer(beforeJoin: () => void): Consumer {
    const { fetchBytesMax, group } = this.#options;
    return this.#needs.kafka.consumer({
      groupId: group,
      partitionAssigners: [fencedAssigner(beforeJoin)],
      allowAutoTopicCreation: false,
      sessionTimeout: SESSION_TIMEOUT_MS,
      rebalanceTimeout: REBALANCE_TIMEOUT_MS,
      heartbeatInterval: HEARTBEAT_INTERVAL_MS,
      metadataMaxAge: 300_000,
      minBytes: 1,
      maxBytesPerPartition: fetchBytesMax,
      maxBytes: Math.max(fetchBytesMax, 8 * 1024 * 1024),
      maxWaitTimeInMs: POLL_MS,
      readUncommitted: false,
      // A restart is our own affair, with a client that knows nothing of the one before.
      retry: { retries: 10, initialRetryTime: 200, maxRetryTime: 2000, restartOnFailure: () => Promise.resolve(false) },
    });
  }

  #fence(): void {
    const held = this.#assignments.void();
    this.#commitOffsets = null;
    // An assignment of which the owner was never told needs no revocation.
    if (held?.begun && !this.#closing.signal.aborted) this.#handler.revoked(held.number);
  }

  #joined(partitions: readonly number[]): void {
    if (this.#closing.signal.aborted) return;
    const assignment = this.#assignments.take(partitions);
    const { topic } = this.#needs;
    // What was paused under the assignment before is fetched again: a new assignment begins anew.
    if (partitions.length > 0) this.#consumer?.resume([{ topic, partitions: [...partitions] }]);
    void this.#announce(assignment);
  }

  // The owner hears where each partition begins and ends before it gets any record of it.
  async #announce(assignment: Assignment): Promise<void> {
    const { withAdmin, clock, topic, warn } = this.#needs;
    while (this.#assignments.held === assignment) {
      try {
        const stands = await withAdmin((admin) => readStands(admin, this.#options.group, topic));
        if (this.#assignments.held !== assignment) return;
        const starts = stands
          .filter(({ partition }) => assignment.partitions.includes(partition))
          .map(({ partition, next, high }) => ({ partition, next, end: high }));
        assignment.begin(starts);
        this.#handler.assigned(starts, assignment.number);
        return;
      } catch (error) {
        warn(`Cannot read the offsets of group ${this.#options.group}: ${failureOf(error).reason}`);
      }
      await clock.sleep(ANNOUNCE_PAUSE_MS, this.#closing.signal).catch(() => undefined);
    }
  }

  async #eachBatch(payload: EachBatchPayload): Promise<void> {
    const assignment = this.#assignments.held;
    if (assignment === null || !(await announcedInTime(assignment, payload, this.#needs.clock))) return;
    if (this.#assignments.held !== assignment) return;

    // From here on nothing waits: the assignment is held until the records are handed over.
    const { batch } = payload;
    const last = batch.messages.at(-1);
    if (last === undefined || !assignment.partitions.includes(batch.partition)) return;
    if (!this.#inPlace(assignment, batch)) return;
    this.#commitOffsets = { assignment, call: payload.commitOffsetsIfNecessary };
    const records: FetchedRecord[] = [];
    for (const message of batch.messages) records.push(ownRecord(fetchedRecord(batch.partition, message)));
    const endOffset = Number(batch.highWatermark);
    this.#handler.fetched({ partition: batch.partition, assignment: assignment.number, records, endOffset });
    payload.resolveOffset(last.offset);
    assignment.handedOver(batch.partition, Number(batch.lastOffset()) + 1);
  }

  #inPlace(assignment: Assignment, batch: EachBatchPayload['batch']): boolean {
    const offset = fetchedOffset(batch);
    if (offset === null) return true;
    const { topic, warn } = this.#needs;
    const { partition } = batch;
    const place = assignment.expects(partition, offset);
    if (place === 'next') return true;
    if ('seek' in place) {
      this.#consumer?.seek({ topic, partition, offset: String(place.seek) });
      return false;
    }
    warn(
      `Records ${place.lostFrom} to ${offset} of ${topic}/${partition} are not there to be read: skipped, or removed by retention`,
    );
    return true;
  }

  #withHeld(
    partitions: readonly number[],
    action: (consumer: Consumer, topicPartitions: { topic: string; partitions: number[] }) => void,
  ): void {
    const held = this.#assignments.held;
    if (this.#consumer === null || held === null) return;
    const mine = partitions.filter((partition) => held.partitions.includes(partition));
    if (mine.length > 0) action(this.#consumer, { topic: this.#needs.topic, partitions: mine });
  }
}

/** Waits for the owner to know of the assignment, and keeps the group's session alive meanwhile. */
async function announcedInTime(
  assignment: Assignment,
  { heartbeat }: EachBatchPayload,
  clock: Clock,
): Promise<boolean> {
  for (;;) {
    const tick = Promise.withResolvers<'later'>();
    const timer = clock.timer(HEARTBEAT_INTERVAL_MS, () => tick.resolve('later'));
    const told = await Promise.race([assignment.announced, tick.promise]);
    timer[Symbol.dispose]();
    if (told !== 'later') return told;
    await heartbeat();
  }
}

function lost(assignment: number, cause?: unknown): SluiceError {
  const message = `Cannot commit under assignment ${assignment}: it is no longer held`;
  return new SluiceError('assignment_lost', message, { cause });
}

function unavailable(reason: string, cause?: unknown): SluiceError {
  return new SluiceError('queue_unavailable', `Cannot consume from Kafka: ${reason}`, { cause });
}
