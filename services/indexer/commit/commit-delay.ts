// When partitions are assigned, requests of the indexer that had them may still reach the store. What was in the queue
// by then is committed only when those requests are over, and second copies were looked for (second-copies.ts).
//
// Guarantee: a group that is assigned anew all the time, or whose indexers die one after another, commits nevertheless.
// A partition that was assigned more often than DELAYED_TRIES_MAX since its offset moved is delayed no more.

import type { Clock } from '#shared/clock.ts';
import type { AssignedPartition } from '#shared/queue/queue.ts';
import type { Assignment } from './in-hand.ts';

/**
 * The queue counts the assignments with the offset. Where it does not, as behind what retention removed, ours are
 * counted: else a group that retention overtakes again and again would read for nothing.
 */
const DELAYED_TRIES_MAX = 5;

export interface CommitDelayOptions {
  /** How long what another had in flight may still reach the store; 0: there are no second copies. */
  readonly commitDelayMs: number;
  /** Looks for what another has written beside us. */
  readonly lookAgain: (assignment: Assignment) => Promise<void>;
}

export class CommitDelay {
  readonly #options: CommitDelayOptions;
  readonly #clock: Clock;
  /** By partition: how often its commits were delayed since its offset moved, or since a delay that was over. */
  readonly #delays = new Map<number, number>();

  constructor(options: CommitDelayOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /**
   * Delays commits of the partitions, before it returns, as far as they had records when they were assigned. Resolves
   * when the delay is over: true where that allows commits.
   */
  async delay(assignment: Assignment, partitions: readonly AssignedPartition[], signal: AbortSignal): Promise<boolean> {
    const { commitDelayMs, lookAgain } = this.#options;
    if (commitDelayMs === 0) return false;
    for (const partition of partitions) this.#inherit(assignment, partition);
    if (!assignment.hasInherited) return false;
    await this.#clock.sleep(commitDelayMs, signal).catch(() => undefined);
    // Whoever is next reads it again, and looks.
    if (signal.aborted) return false;
    await lookAgain(assignment);
    if (assignment.isRevoked || signal.aborted) return false;
    assignment.release();
    this.#delays.clear();
    return true;
  }

  #inherit(assignment: Assignment, { partition, next, end, tries }: AssignedPartition): void {
    const times = next < end ? (tries ?? (this.#delays.get(partition) ?? 0) + 1) : 0;
    const isDelayed = times <= DELAYED_TRIES_MAX;
    // After an assignment that may commit at once, the next is delayed again.
    this.#delays.set(partition, isDelayed ? times : 0);
    if (isDelayed) assignment.inherit(partition, end);
  }
}
