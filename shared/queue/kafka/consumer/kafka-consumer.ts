// A member of a consumer group. What is fetched goes straight to the handler; offsets are committed only when asked.
//
// Guarantees: records of a partition are handed over in order, without gaps under one assignment. A commit carries the
// generation under which its records were fetched, or is refused with assignment_lost. For that, the assignment is void
// before the next request to join the group leaves, and kafkajs never repeats a commit, which would stamp it anew.
// Where reading goes on is decided here: changes of a log are told, and nothing of a new one is passed over. A client
// that gave up, or that holds on to a coordinator that is gone, is replaced, unless the brokers refuse us for good.

import type { Clock } from '#shared/clock.ts';
import type { ConsumeOptions, ConsumerHandler, QueueConsumer } from '../../queue.ts';
import type { QueueObserver } from '../../queue-observer.ts';
import { type MemberAssignment, MemberAssignments } from '../positions/assignments.ts';
import { announcedInTime } from './announced-in-time.ts';
import { epochStarts, outOfPlace, ownRecords } from '../broker/fetched-records.ts';
import { type PartitionOffsets, readPartitionOffsets } from '../broker/group-offsets.ts';
import { encodeSnapshot, type LogPosition } from '../positions/log-position.ts';
import { CONSUMER_FATAL, failureOf, GENERATION_LOST, lost, unavailable } from '../broker/failure.ts';
import { GenerationCommits } from './generation-commits.ts';
import { groupClient } from './group-client.ts';
import {
  assignedOf,
  type Changed,
  changesOf,
  changesIn,
  movedBy,
  NOTHING_CHANGED,
  startsOf,
  withRemembered,
  withTries,
} from './log-changes.ts';
import type { Admin, Consumer, EachBatchPayload, Kafka, KafkaMessage } from '../kafkajs/client.ts';
import { decidedGroups, offsetKeepers } from '../kafkajs/patches/offset-manager.ts';
import { epochOf, fetchedOffset } from '../kafkajs/untyped-fields.ts';
import { RefusedFetches } from './refused-fetches.ts';
import { ReportedChanges } from '../positions/reported-changes.ts';

const COMMIT_TRIES = 4;
const COMMIT_PAUSE_MS = 200;
// kafkajs asks the coordinator that it knows for minutes before it looks for the one that took over. Brokers that do
// not hear of one of them take it for dead after 9 s; one that is only restarted is back sooner.
const COORDINATOR_PATIENCE_MS = 10_000;
// How long a client that is given up may take to say good-bye: to a coordinator that does not answer it would say it
// for ever.
const LEAVE_PATIENCE_MS = 2000;
const RESTART_PAUSE_FIRST_MS = 500;
const RESTART_PAUSE_MAX_MS = 5000;
const ANNOUNCE_PAUSE_MS = 500;

export interface ConsumerDependencies {
  readonly kafka: Kafka;
  readonly topic: string;
  readonly clock: Clock;
  withAdmin<T>(work: (admin: Admin) => Promise<T>): Promise<T>;
  readonly observer: QueueObserver;
}

export class KafkaConsumer implements QueueConsumer {
  readonly #needs: ConsumerDependencies;
  readonly #handler: ConsumerHandler;
  readonly #options: ConsumeOptions;
  readonly #assignments = new MemberAssignments();
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #consumer: Consumer | null = null;
  /** Ends the present client, for this reason. */
  #giveUp: (error: unknown) => void = () => undefined;
  /** On the monotonic clock: since when no commit of the present client was taken, if none was. */
  #commitsFailSinceMs: number | null = null;
  /** Under the generation that the assignment came with. */
  #keeper: { readonly assignment: MemberAssignment; readonly commits: GenerationCommits } | null = null;
  readonly #reported = new ReportedChanges();
  /** Where the group stood in each partition when we last lost it. */
  readonly #remembered = new Map<number, LogPosition>();
  /** What the owner has paused. */
  readonly #paused = new Set<number>();
  readonly #refused: RefusedFetches;
  /** Whose logs are being compared with what was known of them. */
  #checking: MemberAssignment | null = null;
  /** What waits for the outcome of that. */
  readonly #stopped = new Set<number>();

  constructor(needs: ConsumerDependencies, handler: ConsumerHandler, options: ConsumeOptions) {
    this.#needs = needs;
    this.#handler = handler;
    this.#refused = new RefusedFetches(needs.clock);
    this.#options = options;
    decidedGroups.add(options.group);
    this.#running = this.#run();
  }

  /** The topic was seen with this id, and so many partitions. */
  saw({ topicId, partitions }: { readonly topicId: string | null; readonly partitions: number }): void {
    const { current } = this.#assignments;
    if (!current?.isAnnounced) return;
    if (current.topicId !== null && topicId !== null && topicId !== current.topicId) this.#checkLogs(current);
    // The client hears of new partitions every five minutes; a new one joins again at once.
    else if (partitions > current.topicPartitions) this.#giveUp(new Error(`the topic has ${partitions} partitions now`));
  }

  pause(partitions: readonly number[]): void {
    for (const partition of partitions) this.#paused.add(partition);
    this.#withAssigned(partitions, (consumer, topicPartitions) => consumer.pause([topicPartitions]));
  }

  resume(partitions: readonly number[]): void {
    for (const partition of partitions) this.#paused.delete(partition);
    const free = partitions.filter((partition) => !this.#refused.isWaiting(partition));
    this.#withAssigned(free, (consumer, topicPartitions) => consumer.resume([topicPartitions]));
  }

  async commit(assignment: number, nextOffsets: ReadonlyMap<number, number>): Promise<void> {
    const beganMs = this.#needs.clock.monotonicMs();
    for (let tries = 1; ; tries++) {
      // From this check to the request's bytes nothing else runs, so the generation is the assignment's.
      const current = this.#assignments.current;
      if (current === null || current.number !== assignment) throw lost(assignment);
      if (nextOffsets.size === 0) return;
      const keeper = this.#keeper;
      try {
        if (keeper === null || keeper.assignment !== current) throw unavailable('the assignment is not announced yet');
        await keeper.commits.commit(this.#withSnapshots(current, nextOffsets));
        this.#commitsFailSinceMs = null;
        for (const [partition, next] of nextOffsets) {
          current.forget(partition, next);
          this.#reported.passed(partition, next);
        }
        return;
      } catch (error) {
        const { type, retryable, reason } = failureOf(error);
        if (GENERATION_LOST.has(type)) throw lost(assignment, error);
        if (this.#assignments.current === current && keeper !== null) this.#commitFailed(beganMs, error);
        if (!retryable || tries === COMMIT_TRIES) throw unavailable(reason, error);
      }
      await this.#needs.clock.sleep(COMMIT_PAUSE_MS * tries, this.#closing.signal).catch(() => undefined);
    }
  }

  /** `tries`: by partition, where the offset is that of an assignment that begins. */
  #withSnapshots(assignment: MemberAssignment, nextOffsets: ReadonlyMap<number, number>, tries?: ReadonlyMap<number, number>) {
    const partitions = Array.from(nextOffsets, ([partition, next]) => {
      const snapshot = { ...assignment.snapshot(partition, next), tries: tries?.get(partition) ?? 0 };
      return { partition, offset: String(next), metadata: encodeSnapshot(snapshot) };
    });
    return { topics: [{ topic: this.#needs.topic, partitions }] };
  }

  #commitFailed(beganMs: number, error: unknown): void {
    this.#commitsFailSinceMs ??= beganMs;
    if (this.#needs.clock.monotonicMs() - this.#commitsFailSinceMs >= COORDINATOR_PATIENCE_MS) this.#giveUp(error);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.#assignments.revoke();
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
      this.#needs.observer.consumerRestarts(this.#options.group, reason);
      await this.#needs.clock.sleep(pauseMs, signal).catch(() => undefined);
      pauseMs = Math.min(pauseMs * 2, RESTART_PAUSE_MAX_MS);
    }
  }

  /** Lives as long as one client; resolves to what ended it, or to null when it was closed. */
  async #session(): Promise<unknown> {
    // What is heard of a client that was given up is not about the one that took its place.
    let isOver = false;
    const { fetchBytesMax, group } = this.#options;
    const consumer = groupClient(this.#needs.kafka, { group, fetchBytesMax }, () => {
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
      const keeper = offsetKeepers.get(payload.memberId) ?? null;
      offsetKeepers.delete(payload.memberId);
      if (isOver || this.#closing.signal.aborted) return;
      const commits = keeper && new GenerationCommits(keeper, (partition) => this.#stopAndCheck(partition));
      this.#take(payload.memberAssignment[this.#needs.topic] ?? [], commits, NOTHING_CHANGED);
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

  #fence(isGone = false): void {
    const current = this.#assignments.revoke();
    this.#refused.clear();
    this.#keeper = null;
    // An assignment of which the owner was never told needs no revocation.
    if (!current?.isAnnounced || this.#closing.signal.aborted) return;
    for (const [partition, position] of current.committed()) this.#remembered.set(partition, position);
    this.#handler.revoked(current.number, isGone);
  }

  /** Nothing is fetched before it is decided from where: what the group has committed may not be there any more. */
  #take(partitions: readonly number[], commits: GenerationCommits | null, changed: Changed): void {
    const assignment = this.#assignments.take(partitions);
    const { topic } = this.#needs;
    this.#paused.clear();
    this.#stopped.clear();
    if (commits !== null) this.#keeper = { assignment, commits };
    if (partitions.length > 0) this.#consumer?.pause([{ topic, partitions: [...partitions] }]);
    void this.#announce(assignment, changed);
  }

  // The owner hears where each partition begins and ends before it gets any record of it.
  async #announce(assignment: MemberAssignment, changed: Changed): Promise<void> {
    const { withAdmin, clock, topic, observer } = this.#needs;
    const { group } = this.#options;
    // Counted once, although a count whose answer did not come may be read again.
    const counted = new Map<number, number>();
    // A commit of the log before, under the same generation, would undo ours.
    await this.#keeper?.commits.settled();
    while (this.#assignments.current === assignment) {
      try {
        const offsets = await withAdmin((admin) => readPartitionOffsets(admin, group, topic, { asksEpochs: true }));
        if (this.#assignments.current !== assignment) return;
        const assigned = offsets.filter(({ partition }) => assignment.partitions.includes(partition));
        const mine = withRemembered(assigned, this.#remembered);
        const starts = withTries(startsOf(mine, changed), counted);
        const changes = changesOf(mine, changed);
        assignment.prepare(starts, { topicId: offsets[0]?.topicId ?? null, topicPartitions: offsets.length });
        // Before the commit: after it nobody else finds them.
        const news = this.#reported.news(assignment.topicId, changes);
        if (news.length > 0) this.#handler.logsChanged?.(news);
        const moved = movedBy(mine, starts, changes);
        if (moved.size > 0) await this.#commitStarts(assignment, moved, counted);
        if (this.#assignments.current !== assignment) return;
        assignment.announce();
        // Of partitions that others hold by now, they tell.
        this.#remembered.clear();
        for (const { partition, next } of starts) this.#goOn(partition, next);
        this.#handler.assigned(assignedOf(starts), assignment.number);
        return;
      } catch (error) {
        observer.offsetsUnknown(group, failureOf(error).reason);
      }
      await clock.sleep(ANNOUNCE_PAUSE_MS, this.#closing.signal).catch(() => undefined);
    }
  }

  /** Where nothing can be committed nothing is read: a coordinator that is gone is noticed here as well. */
  async #commitStarts(
    assignment: MemberAssignment,
    offsets: ReadonlyMap<number, number>,
    tries: ReadonlyMap<number, number>,
  ): Promise<void> {
    const beganMs = this.#needs.clock.monotonicMs();
    try {
      await this.#keeper?.commits.commit(this.#withSnapshots(assignment, offsets, tries));
      this.#commitsFailSinceMs = null;
    } catch (error) {
      if (this.#assignments.current === assignment) this.#commitFailed(beganMs, error);
      throw error;
    }
  }

  #goOn(partition: number, next: number): void {
    const { topic } = this.#needs;
    this.#consumer?.seek({ topic, partition, offset: String(next) });
    const isHeldBack = this.#paused.has(partition) || this.#refused.isWaiting(partition);
    if (!isHeldBack) this.#consumer?.resume([{ topic, partitions: [partition] }]);
  }

  /** Nothing is to be had where it goes on, or what is there may be of another log. */
  #stopAndCheck(partition: number): void {
    this.#consumer?.pause([{ topic: this.#needs.topic, partitions: [partition] }]);
    this.#stopped.add(partition);
    const { current } = this.#assignments;
    if (current?.isAnnounced) this.#checkLogs(current);
  }

  #checkLogs(assignment: MemberAssignment): void {
    if (this.#checking === assignment) return;
    this.#checking = assignment;
    void this.#checkedOffsets(assignment).then((offsets) => {
      if (this.#checking === assignment) this.#checking = null;
      if (offsets !== null) this.#settle(assignment, offsets);
    });
  }

  /** Compares the logs with what was known of them where we stand; null where the assignment is void by then. */
  async #checkedOffsets(assignment: MemberAssignment): Promise<readonly PartitionOffsets[] | null> {
    const { withAdmin, clock, topic, observer } = this.#needs;
    const { group } = this.#options;
    while (this.#assignments.current === assignment) {
      try {
        const positions = assignment.positions();
        const offsets = await withAdmin((admin) => readPartitionOffsets(admin, group, topic, { positions, asksEpochs: true }));
        if (this.#assignments.current !== assignment) return null;
        const reached = assignment.positions();
        // What was handed over meanwhile was looked at before that: once more.
        const isStale = ({ partition, position, change }: PartitionOffsets): boolean =>
          change !== null && reached.get(partition)?.next !== position?.next;
        if (!offsets.some(isStale)) return offsets;
      } catch (error) {
        observer.offsetsUnknown(group, failureOf(error).reason);
        await clock.sleep(ANNOUNCE_PAUSE_MS, this.#closing.signal).catch(() => undefined);
      }
    }
    return null;
  }

  #settle(assignment: MemberAssignment, offsets: readonly PartitionOffsets[]): void {
    const changes = changesIn(offsets);
    if (changes.some(({ reason }) => reason !== 'retention')) {
      const commits = this.#keeper?.commits ?? null;
      const changed = { topicId: offsets[0]?.topicId ?? null, changes };
      this.#fence(true);
      this.#take(assignment.partitions, commits, changed);
      return;
    }
    const news = this.#reported.news(assignment.topicId, changes);
    if (news.length > 0) this.#handler.logsChanged?.(news);
    for (const { partition, next } of changes) {
      assignment.handedOver(partition, next);
      this.#stopped.add(partition);
    }
    for (const { partition, leaderEpoch } of offsets) assignment.check(partition, leaderEpoch);
    const reached = assignment.positions();
    for (const partition of this.#stopped) this.#goOn(partition, reached.get(partition)?.next ?? 0);
    this.#stopped.clear();
  }

  async #eachBatch(payload: EachBatchPayload): Promise<void> {
    const assignment = this.#assignments.current;
    if (assignment === null || !(await announcedInTime(assignment, payload, this.#needs.clock))) return;
    if (this.#assignments.current !== assignment) return;

    // From here on nothing waits: the assignment is held until the records are handed over.
    const { batch } = payload;
    const { partition } = batch;
    // It was fetched before we went elsewhere, maybe from a log that is no more.
    if (payload.isStale()) return;
    const last = batch.messages.at(-1);
    if (last === undefined || !assignment.partitions.includes(partition)) return;
    const refusal = outOfPlace(batch);
    if (refusal !== null) return this.#refuse(assignment, partition, refusal);
    if (!this.#inPlace(assignment, batch)) return;
    const endOffset = Number(batch.highWatermark);
    const [first] = batch.messages;
    const epoch = epochOf(last);
    if (first !== undefined && epoch !== null && assignment.isSuspect(partition, epochOf(first) ?? epoch)) {
      // It is fetched again when it is known to follow on what we have.
      this.#consumer?.seek({ topic: batch.topic, partition, offset: String(fetchedOffset(batch) ?? first.offset) });
      return this.#stopAndCheck(partition);
    }
    const next = Number(batch.lastOffset()) + 1;
    const records = ownRecords(partition, batch.messages);
    const leftFrom = this.#handler.fetched({ partition, assignment: assignment.number, records, next, endOffset });
    this.#refused.taken(partition);
    const isTaken = ({ offset }: KafkaMessage): boolean => typeof leftFrom !== 'number' || Number(offset) < leftFrom;
    const taken = isTaken(last) ? last : batch.messages.findLast(isTaken);
    if (first === undefined || taken === undefined) return;
    payload.resolveOffset(taken.offset);
    const log = { epochs: epochStarts(batch.messages.filter(isTaken)), end: endOffset };
    assignment.handedOver(partition, taken === last ? next : Number(taken.offset) + 1, log);
  }

  /** Nothing of what was fetched can be believed. */
  #refuse(assignment: MemberAssignment, partition: number, reason: string): void {
    const standsAt = (): number => assignment.positions().get(partition)?.next ?? 0;
    this.#withAssigned([partition], (consumer, topicPartitions) => consumer.pause([topicPartitions]));
    const times = this.#refused.refuse(partition, () => this.#goOn(partition, standsAt()));
    this.#needs.observer.fetchRefused(partition, reason, times);
  }

  #inPlace(assignment: MemberAssignment, batch: EachBatchPayload['batch']): boolean {
    const offset = fetchedOffset(batch);
    if (offset === null) return true;
    const { topic, observer } = this.#needs;
    const { partition } = batch;
    const place = assignment.expects(partition, offset);
    if (place === 'next') return true;
    if ('seek' in place) {
      this.#consumer?.seek({ topic, partition, offset: String(place.seek) });
      return false;
    }
    observer.recordsSkipped(partition, place.lostFrom, offset);
    return true;
  }

  #withAssigned(
    partitions: readonly number[],
    action: (consumer: Consumer, topicPartitions: { topic: string; partitions: number[] }) => void,
  ): void {
    const current = this.#assignments.current;
    if (this.#consumer === null || current === null) return;
    const mine = partitions.filter((partition) => current.partitions.includes(partition));
    if (mine.length > 0) action(this.#consumer, { topic: this.#needs.topic, partitions: mine });
  }
}
