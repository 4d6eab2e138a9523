// The commits of a consumer. Each goes under the generation that its assignment came with, or is refused; with each
// goes what is known of the log at the offset, for whoever starts from there. It is tried a few times.
//
// Guarantees: nothing is committed under an assignment that is not the present one. A coordinator that takes no commit
// for some time is taken to be gone: the client is given up, and the next one asks who took over.

import type { Clock } from '#shared/clock.ts';
import { failureOf, GENERATION_LOST, lost, unavailable } from '../broker/failure.ts';
import type { MemberAssignment, MemberAssignments } from '../positions/assignments.ts';
import { encodeSnapshot } from '../positions/log-position.ts';
import type { GenerationCommits } from './generation-commits.ts';

const COMMIT_TRIES = 4;
const COMMIT_PAUSE_MS = 200;
// kafkajs asks the coordinator that it knows for minutes before it looks for the one that took over. Brokers that do
// not hear of one of them take it for dead after 9 s; one that is only restarted is back sooner.
const COORDINATOR_PATIENCE_MS = 10_000;

export interface GroupCommitsOptions {
  readonly topic: string;
  readonly clock: Clock;
  readonly assignments: MemberAssignments;
  /** Aborted when the consumer is closed. */
  readonly signal: AbortSignal;
  /** A partition is committed up to `next`. */
  committed(partition: number, next: number): void;
  giveUp(error: unknown): void;
}

export class GroupCommits {
  readonly #options: GroupCommitsOptions;
  /** On the monotonic clock: since when no commit of the present client was taken, if none was. */
  #failSinceMs: number | null = null;
  #current: { readonly assignment: MemberAssignment; readonly generation: GenerationCommits } | null = null;

  constructor(options: GroupCommitsOptions) {
    this.#options = options;
  }

  /** What an earlier client met says nothing of this one. */
  clientStarted(): void {
    this.#failSinceMs = null;
  }

  /** The assignment was made under this generation. */
  start(assignment: MemberAssignment, generation: GenerationCommits): void {
    this.#current = { assignment, generation };
  }

  /** The generation is over, or may be. */
  end(): void {
    this.#current = null;
  }

  get generation(): GenerationCommits | null {
    return this.#current?.generation ?? null;
  }

  /** See QueueConsumer.commit. */
  async commit(assignment: number, nextOffsets: ReadonlyMap<number, number>): Promise<void> {
    const { assignments, clock, signal } = this.#options;
    const beganMs = clock.monotonicMs();
    for (let tries = 1; ; tries++) {
      // From this check to the request's bytes nothing else runs, so the generation is the assignment's.
      const { current } = assignments;
      if (current === null || current.number !== assignment) throw lost(assignment);
      if (nextOffsets.size === 0) return;
      const own = this.#current;
      try {
        if (own === null || own.assignment !== current) throw unavailable('the assignment is not announced yet');
        await own.generation.commit(this.#withSnapshots(current, nextOffsets));
        this.#failSinceMs = null;
        for (const [partition, next] of nextOffsets) {
          current.forget(partition, next);
          this.#options.committed(partition, next);
        }
        return;
      } catch (error) {
        const { type, retryable, reason } = failureOf(error);
        if (GENERATION_LOST.has(type)) throw lost(assignment, error);
        if (assignments.current === current && own !== null) this.#failed(beganMs, error);
        if (!retryable || tries === COMMIT_TRIES) throw unavailable(reason, error);
      }
      await clock.sleep(COMMIT_PAUSE_MS * tries, signal).catch(() => undefined);
    }
  }

  /**
   * Commits where an assignment starts. Where nothing can be committed nothing is read: a coordinator that is gone is
   * noticed here as well.
   */
  async commitStarts(
    assignment: MemberAssignment,
    offsets: ReadonlyMap<number, number>,
    tries: ReadonlyMap<number, number>,
  ): Promise<void> {
    const beganMs = this.#options.clock.monotonicMs();
    try {
      await this.generation?.commit(this.#withSnapshots(assignment, offsets, tries));
      this.#failSinceMs = null;
    } catch (error) {
      if (this.#options.assignments.current === assignment) this.#failed(beganMs, error);
      throw error;
    }
  }

  /** `tries`: by partition, where the offset is that of an assignment that begins. */
  #withSnapshots(
    assignment: MemberAssignment,
    nextOffsets: ReadonlyMap<number, number>,
    tries?: ReadonlyMap<number, number>,
  ) {
    const partitions = Array.from(nextOffsets, ([partition, next]) => {
      const snapshot = { ...assignment.snapshot(partition, next), tries: tries?.get(partition) ?? 0 };
      return { partition, offset: String(next), metadata: encodeSnapshot(snapshot) };
    });
    return { topics: [{ topic: this.#options.topic, partitions }] };
  }

  #failed(beganMs: number, error: unknown): void {
    this.#failSinceMs ??= beganMs;
    if (this.#options.clock.monotonicMs() - this.#failSinceMs >= COORDINATOR_PATIENCE_MS) this.#options.giveUp(error);
  }
}
