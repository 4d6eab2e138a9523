// The one place that commits. Every half second it commits how far the contiguous prefixes have come, under the
// assignment that the records were fetched under. Kafka accepts commits for partitions that were lost. So nothing is
// committed under a revoked assignment, and the queue refuses it once more.
//
// Guarantees: one commit in flight; none under a revoked assignment; a failed commit is tried again half a second
// later.

import type { Clock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import type { QueueConsumer } from '#shared/queue/queue.ts';
import type { Assignment } from '../commit/in-hand.ts';
import type { ReadingTelemetry } from '../settle/reading-telemetry.ts';

export const COMMIT_INTERVAL_MS = 500;

export interface CommitterOptions {
  readonly consumer: Pick<QueueConsumer, 'commit'>;
  /** The present one. */
  readonly assignment: () => Assignment | null;
  readonly telemetry: ReadingTelemetry;
  readonly clock: Clock;
}

export class Committer {
  readonly #options: CommitterOptions;
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;
  #inFlight: Promise<boolean> = Promise.resolve(true);

  constructor(options: CommitterOptions) {
    this.#options = options;
    this.#loop = this.#run();
  }

  /** Commits what moved. True when nothing is left to commit. */
  commit(): Promise<boolean> {
    this.#inFlight = this.#inFlight.then(() => this.#commitNow());
    return this.#inFlight;
  }

  /** Ends the loop; commits nothing more. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
    await this.#inFlight;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#options.clock.sleep(COMMIT_INTERVAL_MS, signal);
      } catch {
        return;
      }
      await this.commit();
    }
  }

  async #commitNow(): Promise<boolean> {
    const assignment = this.#options.assignment();
    if (!assignment || assignment.isRevoked) return true;
    const moved = assignment.committable();
    // What is delayed now is not committed yet.
    if (moved.size === 0) return !assignment.isWaiting;
    try {
      await this.#options.consumer.commit(assignment.number, moved);
      for (const [partition, next] of moved) {
        if (assignment.noteCommitted(partition, next)) this.#options.telemetry.partitionTrusted(partition);
      }
      return !assignment.isWaiting;
    } catch (error) {
      const isLost = error instanceof SluiceError && error.code === 'assignment_lost';
      if (!isLost && !assignment.isRevoked) this.#options.telemetry.commitFailed(error);
      return false;
    }
  }
}
