// Takes partitions from the queue and hands their records to the pipeline: what a consumer that runs for ever and a
// drain job share. The queue's callbacks only take note here. The pipeline does the work, the committer commits.
//
// Guarantees: reading pauses while the bytes in hand are at their limit. What was fetched under a lost assignment goes
// no further, and is never committed. A consumer that failed is built anew, whole, with growing pauses.

import type { ByteBudget } from '#shared/byte-budget.ts';
import type { Clock } from '#shared/clock.ts';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import type {
  AssignedPartition,
  ConsumerHandler,
  FetchedRecords,
  LogChange,
  Queue,
  QueueConsumer,
} from '#shared/queue/queue.ts';
import { backoffMs } from '#shared/backoff.ts';
import { Committer } from './committer.ts';
import { CommitDelay, type CommitDelayOptions } from '../commit/commit-delay.ts';
import { Assignment } from '../commit/in-hand.ts';
import type { Pipeline } from '../pipeline/pipeline.ts';
import type { ReadingTelemetry } from '../settle/reading-telemetry.ts';

export interface ReaderOptions extends CommitDelayOptions {
  readonly queue: Pick<Queue, 'consume'>;
  readonly pipeline: Pipeline;
  readonly budget: ByteBudget;
  readonly telemetry: ReadingTelemetry;
  readonly clock: Clock;
  readonly random: () => number;
  readonly group: string;
  /** Named in the log where it is not Sluice's own. */
  readonly foreignTopic?: string;
  readonly fetchBytesMax: number;
  /** Reads each partition up to its end as of the first assignment only. */
  readonly toEnds: boolean;
  /** An assignment, records or a failure came. */
  readonly changed?: () => void;
}

interface Membership {
  readonly consumer: QueueConsumer;
  readonly committer: Committer;
}

const REBUILD = { baseMs: 500, capMs: 15_000 };
/** A consumer that lived this long was well: the next failure counts as the first. */
const WELL_AFTER_MS = 60_000;

export class PartitionReader implements ConsumerHandler {
  /** Why nothing is read now; null while the queue is read. */
  unreadyReason: string | null = 'the indexer is not yet a member of its group';
  /** Whether the queue refuses this user: an operator has to act. It is tried again all the same. */
  isRefused = false;
  readonly #options: ReaderOptions;
  readonly #ends = new Map<number, number>();
  readonly #stop = new AbortController();
  #assignment: Assignment | null = null;
  #membership: Membership | null = null;
  #failure: PromiseWithResolvers<Error> = Promise.withResolvers();
  #paused = false;
  readonly #commitDelay: CommitDelay;
  #loop: Promise<void> = Promise.resolve();

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#commitDelay = new CommitDelay(options, options.clock);
    options.pipeline.onHold((partition) => {
      this.#membership?.consumer.pause([partition]);
      options.changed?.();
    });
    options.pipeline.onTried(() => {
      if (!this.#paused) this.#resumeReading();
      options.changed?.();
    });
  }

  /** Why a partition waits for an operator; null where none does. */
  get heldReason(): string | null {
    return this.#assignment?.heldReason ?? null;
  }

  get assignment(): Assignment | null {
    return this.#assignment;
  }

  /**
   * Whether every partition that is assigned now was read up to its end, or to where it is held; false while there is
   * no assignment.
   */
  get atEnds(): boolean {
    const assignment = this.#assignment;
    if (!assignment) return false;
    for (const [partition, offsets] of assignment.partitions) {
      if (!assignment.held.has(partition) && offsets.readTo < (this.#ends.get(partition) ?? 0)) return false;
    }
    return true;
  }

  /**
   * Records that are not committed yet, of the partitions that are assigned now; up to the ends as of their first
   * assignment.
   */
  get left(): number {
    let records = 0;
    for (const [partition, next] of this.#assignment?.committed ?? [])
      records += Math.max(0, (this.#ends.get(partition) ?? 0) - next);
    return records;
  }

  /** Joins the group, now and whenever it was thrown out; returns at once. */
  start(): void {
    this.#loop = this.#run();
  }

  /** Commits what may be committed. True when nothing is left to commit. */
  commit(): Promise<boolean> {
    return this.#membership?.committer.commit() ?? Promise.resolve(false);
  }

  /** Fetches nothing more; what is in hand can still be committed. */
  halt(): void {
    this.#stop.abort();
    this.#pause();
  }

  /** Commits for the last time, and leaves the group. */
  async leave(): Promise<boolean> {
    this.#stop.abort();
    await this.#loop;
    const isCommitted = await this.commit();
    await this.#dismiss();
    return isCommitted;
  }

  assigned(partitions: readonly AssignedPartition[], number: number): void {
    this.#lose();
    const assignment = new Assignment(number, partitions);
    this.#assignment = assignment;
    for (const { partition, next, tries = 0 } of partitions) {
      if (assignment.suspicion.assigned(partition, tries))
        this.#options.telemetry.partitionSuspect(partition, next, tries);
    }
    this.#options.pipeline.assigned(assignment);
    void this.#commitDelay.delay(assignment, partitions, this.#stop.signal).then((isOver) => {
      if (isOver) this.#options.changed?.();
    });
    for (const { partition, end } of partitions) assignment.hear(partition, end, this.#options.clock.epochMs());
    for (const { partition, end } of partitions) if (!this.#ends.has(partition)) this.#ends.set(partition, end);
    this.#options.telemetry.assigned(partitions.length, number);
    this.unreadyReason = null;
    this.isRefused = false;
    this.#paused = false;
    if (!this.#options.budget.hasRoom) this.#pause();
    this.#options.changed?.();
  }

  revoked(number: number, isGone = false): void {
    if (this.#assignment?.number !== number) return;
    // What nobody can read again is finished, but its offsets mean nothing any more: the committer sees the next
    // assignment only.
    if (isGone) this.#assignment = null;
    else this.#lose();
    this.#options.telemetry.revoked(number);
    this.#options.changed?.();
  }

  fetched({ assignment: number, partition, records, next, endOffset }: FetchedRecords): number | void {
    const assignment = this.#assignment;
    if (!assignment || assignment.number !== number || this.#stop.signal.aborted) return;
    const { pipeline, budget, toEnds, changed, clock } = this.#options;
    assignment.hear(partition, endOffset, clock.epochMs());
    const end = toEnds ? (this.#ends.get(partition) ?? 0) : Infinity;
    const wanted = toEnds ? records.filter((record) => record.offset < end) : records;
    const leftFrom = pipeline.push(assignment, wanted);
    if (leftFrom === null) assignment.passTo(partition, Math.min(next, end));
    if (next >= end || pipeline.isTrying(partition)) this.#membership?.consumer.pause([partition]);
    if (!budget.hasRoom) this.#pause();
    changed?.();
    if (leftFrom !== null) return leftFrom;
  }

  logsChanged(changes: readonly LogChange[]): void {
    for (const change of changes) {
      const { partition, reason, next } = change;
      this.#options.telemetry.logChanged(change);
      // The end of a log that is no more says nothing of this one.
      if (reason !== 'retention') this.#ends.delete(partition);
      this.#assignment?.partitions.get(partition)?.skipTo(next);
    }
    this.#options.changed?.();
  }

  failed(error: Error): void {
    this.#failure.resolve(error);
  }

  async #run(): Promise<void> {
    const { queue, clock, random, telemetry, group, fetchBytesMax, foreignTopic } = this.#options;
    const { signal } = this.#stop;
    const stopped = new Promise<null>((resolve) =>
      signal.addEventListener('abort', () => resolve(null), { once: true }),
    );
    for (let attempt = 0; !signal.aborted; attempt++) {
      const sinceMs = clock.monotonicMs();
      this.#failure = Promise.withResolvers();
      let failure: unknown;
      try {
        const consumer = await queue.consume(this, { group, fetchBytesMax });
        const committer = new Committer({ consumer, assignment: () => this.#assignment, telemetry, clock });
        this.#membership = { consumer, committer };
        if (this.#paused) this.#pauseNow();
        failure = await Promise.race([this.#failure.promise, stopped]);
      } catch (error) {
        failure = error;
      }
      if (signal.aborted) return;
      this.unreadyReason = `the queue is not read: ${reasonOf(failure)}`;
      this.isRefused = failure instanceof SluiceError && failure.code === 'queue_unauthorized';
      telemetry.consumerFailed(failure, foreignTopic);
      this.#lose();
      await this.#dismiss();
      this.#options.changed?.();
      if (clock.monotonicMs() - sinceMs > WELL_AFTER_MS) attempt = 0;
      await clock.sleep(backoffMs(attempt, REBUILD, random), signal).catch(() => undefined);
    }
  }

  #lose(): void {
    const lost = this.#assignment;
    if (!lost) return;
    this.#assignment = null;
    lost.isRevoked = true;
    this.#options.pipeline.lost(lost);
  }

  async #dismiss(): Promise<void> {
    const membership = this.#membership;
    this.#membership = null;
    if (!membership) return;
    await membership.committer.stop();
    try {
      await membership.consumer[Symbol.asyncDispose]();
    } catch (error) {
      this.#options.telemetry.consumerFailed(error, this.#options.foreignTopic);
    }
    this.#lose();
  }

  #pause(): void {
    this.#pauseNow();
    if (this.#paused || this.#stop.signal.aborted) return;
    this.#paused = true;
    void this.#options.budget.room().then(() => this.#resume());
  }

  #pauseNow(): void {
    this.#membership?.consumer.pause([...(this.#assignment?.partitions.keys() ?? [])]);
  }

  #resume(): void {
    this.#paused = false;
    this.#resumeReading();
  }

  #resumeReading(): void {
    const assignment = this.#assignment;
    if (!assignment || this.#stop.signal.aborted) return;
    const { toEnds, pipeline } = this.#options;
    const unread = [...assignment.partitions]
      .filter(([partition]) => !assignment.held.has(partition) && !pipeline.isTrying(partition))
      .filter(([partition, offsets]) => !toEnds || offsets.readTo < (this.#ends.get(partition) ?? 0))
      .map(([partition]) => partition);
    this.#membership?.consumer.resume(unread);
  }
}
