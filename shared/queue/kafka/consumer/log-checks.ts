// Compares the logs of an assignment with what was known of them where we stand, when something gives reason to: an
// offset out of range, a record of a new leader's epoch, a topic with another id.
//
// Guarantees: one check at a time for an assignment; what is found was true of the positions that are reached by then.
// It asks until it is answered, or the assignment is over.

import type { Clock } from '#shared/clock.ts';
import type { QueueObserver } from '../../queue-observer.ts';
import { failureOf } from '../broker/failure.ts';
import { type PartitionOffsets, readPartitionOffsets } from '../broker/group-offsets.ts';
import type { Admin } from '../kafkajs/client.ts';
import type { MemberAssignment, MemberAssignments } from '../positions/assignments.ts';

/** Between two tries to hear of the brokers how the logs are. */
export const ASK_PAUSE_MS = 500;

export interface LogChecksOptions {
  readonly topic: string;
  readonly group: string;
  readonly clock: Clock;
  readonly observer: QueueObserver;
  readonly assignments: MemberAssignments;
  /** Aborted when the consumer is closed. */
  readonly signal: AbortSignal;
  withAdmin<T>(work: (admin: Admin) => Promise<T>): Promise<T>;
  checked(assignment: MemberAssignment, offsets: readonly PartitionOffsets[]): void;
}

export class LogChecks {
  readonly #options: LogChecksOptions;
  #checking: MemberAssignment | null = null;

  constructor(options: LogChecksOptions) {
    this.#options = options;
  }

  start(assignment: MemberAssignment): void {
    if (this.#checking === assignment) return;
    this.#checking = assignment;
    void this.#offsetsOf(assignment).then((offsets) => {
      if (this.#checking === assignment) this.#checking = null;
      if (offsets !== null) this.#options.checked(assignment, offsets);
    });
  }

  /** Null where the assignment is over by then. */
  async #offsetsOf(assignment: MemberAssignment): Promise<readonly PartitionOffsets[] | null> {
    const { assignments, withAdmin, clock, topic, group, observer, signal } = this.#options;
    while (assignments.current === assignment) {
      try {
        const positions = assignment.positions();
        const options = { positions, asksEpochs: true };
        const offsets = await withAdmin((admin) => readPartitionOffsets(admin, group, topic, options));
        if (assignments.current !== assignment) return null;
        const reached = assignment.positions();
        // What was handed over meanwhile was checked at an earlier position: once more.
        const isStale = ({ partition, position, change }: PartitionOffsets): boolean =>
          change !== null && reached.get(partition)?.next !== position?.next;
        if (!offsets.some(isStale)) return offsets;
      } catch (error) {
        observer.offsetsUnknown(group, failureOf(error).reason);
        await clock.sleep(ASK_PAUSE_MS, signal).catch(() => undefined);
      }
    }
    return null;
  }
}
