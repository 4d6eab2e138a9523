// A member of a consumer group. What is fetched goes straight to the handler; offsets are committed only when asked.
//
// Guarantees: records of a partition are handed over in order, without gaps under one assignment. A commit carries the
// generation under which its records were fetched, or is refused with assignment_lost. For that, the assignment is
// revoked before the next request to join the group leaves, and kafkajs never repeats a commit, which would stamp it
// anew. Where reading goes on is decided here: changes of a log are reported, and nothing of a new one is passed over.

import type { Clock } from '#shared/clock.ts';
import { endedWithin } from '#shared/abort.ts';
import type { ConsumeOptions, ConsumerHandler, QueueConsumer } from '../../queue.ts';
import type { QueueObserver } from '../../queue-observer.ts';
import { failureOf } from '../broker/failure.ts';
import { epochStarts, foreignRecord, outOfPlace, ownRecords } from '../broker/fetched-records.ts';
import { type PartitionOffsets, readPartitionOffsets } from '../broker/group-offsets.ts';
import type { Admin, EachBatchPayload, Kafka, KafkaMessage } from '../kafkajs/client.ts';
import { decidedGroups, type OffsetKeeper } from '../kafkajs/patches/offset-manager.ts';
import { epochOf, fetchedOffset } from '../kafkajs/untyped-fields.ts';
import { type MemberAssignment, MemberAssignments } from '../positions/assignments.ts';
import type { LogPosition } from '../positions/log-position.ts';
import { ReportedChanges } from '../positions/reported-changes.ts';
import { announcedInTime } from './announced-in-time.ts';
import { ClientSessions, CLOSE_PATIENCE_MS } from './client-sessions.ts';
import { GenerationCommits } from './generation-commits.ts';
import { GroupCommits } from './group-commits.ts';
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
import { ASK_PAUSE_MS, LogChecks } from './log-checks.ts';
import { PartitionFetching } from './partition-fetching.ts';
import { TopicConfirmation, UNCONFIRMED } from './foreign-topic-confirmation.ts';

export interface ConsumerDependencies {
  readonly kafka: Kafka;
  readonly topic: string;
  /** Others write the topic. */
  readonly isForeign?: boolean;
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
  readonly #sessions: ClientSessions;
  readonly #commits: GroupCommits;
  readonly #checks: LogChecks;
  readonly #fetching: PartitionFetching;
  readonly #running: Promise<void>;
  readonly #reported = new ReportedChanges();
  /** Where the group stood in each partition when we last lost it. */
  readonly #remembered = new Map<number, LogPosition>();
  /** What waits for the outcome of a check. */
  readonly #stopped = new Set<number>();
  readonly #confirmation: TopicConfirmation | null;

  constructor(needs: ConsumerDependencies, handler: ConsumerHandler, options: ConsumeOptions) {
    this.#needs = needs;
    this.#handler = handler;
    this.#options = options;
    this.#confirmation = needs.isForeign ? new TopicConfirmation(needs.kafka, needs.topic) : null;
    decidedGroups.add(options.group);
    const { signal } = this.#closing;
    const common = { ...needs, assignments: this.#assignments, signal };
    this.#commits = new GroupCommits({
      ...common,
      committed: (partition, next) => this.#reported.passed(partition, next),
      giveUp: (error) => this.#sessions.giveUp(error),
    });
    this.#checks = new LogChecks({
      ...common,
      group: options.group,
      checked: (assignment, offsets) => this.#settle(assignment, offsets),
    });
    this.#fetching = new PartitionFetching({ ...common, client: () => this.#sessions.consumer });
    this.#sessions = this.#clientSessions();
    this.#running = this.#sessions.run();
  }

  get topic(): string {
    return this.#needs.topic;
  }

  get isForeign(): boolean {
    return this.#needs.isForeign === true;
  }

  /** Resolves when it is closed, or the brokers refuse us for good. */
  get ended(): Promise<void> {
    return this.#running;
  }

  /** The topic was seen with this id, and so many partitions. */
  saw({ topicId, partitions }: { readonly topicId: string | null; readonly partitions: number }): void {
    const { current } = this.#assignments;
    if (!current?.isAnnounced) return;
    if (current.topicId !== null && topicId !== null && topicId !== current.topicId) this.#checks.start(current);
    // The client hears of new partitions every half minute; a new one joins again at once.
    else if (partitions > current.topicPartitions) {
      this.#sessions.giveUp(new Error(`the topic has ${partitions} partitions now`));
    }
  }

  pause(partitions: readonly number[]): void {
    this.#fetching.pause(partitions);
  }

  resume(partitions: readonly number[]): void {
    this.#fetching.resume(partitions);
  }

  commit(assignment: number, nextOffsets: ReadonlyMap<number, number>): Promise<void> {
    return this.#commits.commit(assignment, nextOffsets);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.#assignments.revoke();
    const left = this.#running.then(() => this.#confirmation?.[Symbol.asyncDispose]());
    await endedWithin(left, this.#needs.clock, CLOSE_PATIENCE_MS);
  }

  #clientSessions(): ClientSessions {
    const assignments = this.#assignments;
    return new ClientSessions(
      { ...this.#needs, consume: this.#options, closing: this.#closing },
      {
        started: () => this.#commits.clientStarted(),
        joined: (partitions, keeper) => this.#take(partitions, this.#commitsOf(keeper), NOTHING_CHANGED),
        fenced: () => this.#fence(),
        eachBatch: (payload) => this.#eachBatch(payload),
        get lastAssignment() {
          return assignments.last;
        },
        failed: (error) => this.#handler.failed(error),
      },
    );
  }

  #commitsOf(keeper: OffsetKeeper | null): GenerationCommits | null {
    return keeper && new GenerationCommits(keeper, (partition) => this.#stopAndCheck(partition));
  }

  #fence(isGone = false): void {
    const current = this.#assignments.revoke();
    this.#fetching.end();
    this.#commits.end();
    // An assignment that was never announced needs no revocation.
    if (!current?.isAnnounced || this.#closing.signal.aborted) return;
    for (const [partition, position] of current.committed()) this.#remembered.set(partition, position);
    this.#handler.revoked(current.number, isGone);
  }

  /** Nothing is fetched before it is decided from where: what the group has committed may not be there any more. */
  #take(partitions: readonly number[], commits: GenerationCommits | null, changed: Changed): void {
    const assignment = this.#assignments.take(partitions);
    this.#stopped.clear();
    if (commits !== null) this.#commits.start(assignment, commits);
    this.#fetching.start(partitions);
    void this.#announce(assignment, changed);
  }

  // The owner hears where each partition begins and ends before it gets any record of it.
  async #announce(assignment: MemberAssignment, changed: Changed): Promise<void> {
    const { withAdmin, clock, topic, observer } = this.#needs;
    const { group } = this.#options;
    // Counted once, although a count whose answer did not come may be read again.
    const counted = new Map<number, number>();
    // A commit of the log before, under the same generation, would undo ours.
    await this.#commits.generation?.settled();
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
        if (moved.size > 0) await this.#commits.commitStarts(assignment, moved, counted);
        if (this.#assignments.current !== assignment) return;
        assignment.announce();
        // What became of partitions that others have by now, they report.
        this.#remembered.clear();
        for (const { partition, next } of starts) this.#fetching.goOn(partition, next);
        this.#handler.assigned(assignedOf(starts), assignment.number);
        return;
      } catch (error) {
        observer.offsetsUnknown(group, failureOf(error).reason);
      }
      await clock.sleep(ASK_PAUSE_MS, this.#closing.signal).catch(() => undefined);
    }
  }

  /** Nothing is to be had where it goes on, or what is there may be of another log. */
  #stopAndCheck(partition: number): void {
    this.#fetching.stop(partition);
    this.#stopped.add(partition);
    const { current } = this.#assignments;
    if (current?.isAnnounced) this.#checks.start(current);
  }

  #settle(assignment: MemberAssignment, offsets: readonly PartitionOffsets[]): void {
    const changes = changesIn(offsets);
    if (changes.some(({ reason }) => reason !== 'retention')) {
      const commits = this.#commits.generation;
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
    for (const partition of this.#stopped) this.#fetching.goOn(partition, reached.get(partition)?.next ?? 0);
    this.#stopped.clear();
  }

  async #eachBatch(payload: EachBatchPayload): Promise<void> {
    const assignment = this.#assignments.current;
    if (assignment === null || !(await announcedInTime(assignment, payload, this.#needs.clock))) return;
    const { batch } = payload;
    const { partition } = batch;
    const topicId = await this.#confirmation?.topicId(payload, this.#needs.clock);
    if (this.#assignments.current !== assignment) return;

    // From here on nothing waits: the assignment stays until the records are handed over.
    // It was fetched before we went elsewhere, maybe from a log that is no more.
    if (payload.isStale()) return;
    const last = batch.messages.at(-1);
    if (last === undefined || !assignment.partitions.includes(partition)) return;
    const refusal = outOfPlace(batch);
    if (refusal !== null) return this.#refuse(assignment, partition, refusal);
    if (topicId === UNCONFIRMED) return this.#refuse(assignment, partition, 'nobody knows of which topic it is');
    if (topicId !== undefined && topicId !== assignment.topicId) {
      this.#fetching.seek(partition, fetchedOffset(batch) ?? last.offset);
      return this.#stopAndCheck(partition);
    }
    if (!this.#inPlace(assignment, batch)) return;
    const endOffset = Number(batch.highWatermark);
    const [first] = batch.messages;
    const epoch = epochOf(last);
    if (first !== undefined && epoch !== null && assignment.isSuspect(partition, epochOf(first) ?? epoch)) {
      // It is fetched again when it is known to follow on what we have.
      this.#fetching.seek(partition, fetchedOffset(batch) ?? first.offset);
      return this.#stopAndCheck(partition);
    }
    const next = Number(batch.lastOffset()) + 1;
    const records = ownRecords(partition, batch.messages, this.isForeign ? foreignRecord : undefined);
    const fetched = { partition, assignment: assignment.number, records, next, endOffset };
    const leftFrom = this.#handler.fetched(topicId === undefined ? fetched : { ...fetched, topicId });
    this.#fetching.taken(partition);
    const isTaken = ({ offset }: KafkaMessage): boolean => typeof leftFrom !== 'number' || Number(offset) < leftFrom;
    const taken = isTaken(last) ? last : batch.messages.findLast(isTaken);
    if (first === undefined || taken === undefined) return;
    payload.resolveOffset(taken.offset);
    const log = { epochs: epochStarts(batch.messages.filter(isTaken)), end: endOffset };
    assignment.handedOver(partition, taken === last ? next : Number(taken.offset) + 1, log);
  }

  #refuse(assignment: MemberAssignment, partition: number, reason: string): void {
    const times = this.#fetching.refuse(partition, () => assignment.positions().get(partition)?.next ?? 0);
    this.#needs.observer.fetchRefused(partition, reason, times);
  }

  #inPlace(assignment: MemberAssignment, batch: EachBatchPayload['batch']): boolean {
    const offset = fetchedOffset(batch);
    if (offset === null) return true;
    const { partition } = batch;
    const expected = assignment.expects(partition, offset);
    if (expected === 'next') return true;
    if ('seek' in expected) {
      this.#fetching.seek(partition, expected.seek);
      return false;
    }
    this.#needs.observer.recordsSkipped(partition, expected.lostFrom, offset);
    return true;
  }
}
