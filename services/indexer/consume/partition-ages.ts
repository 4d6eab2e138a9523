// How late the partitions of an assignment are, as far as it is known here: for metrics, and for whoever watches a job.

import type { Assignment } from '../commit/in-hand.ts';
import type { PartitionAge } from '../settle/telemetry.ts';

/** `epochMs`: now. */
export function agesOf(assignment: Assignment | null, epochMs: number): PartitionAge[] {
  return Array.from(assignment?.partitions ?? [], ([partition, { oldest, readTo }]) => {
    const end = assignment?.ends.get(partition);
    // What waits in the queue while nothing is in hand is at least as old as the news of it.
    const sinceMs = oldest?.timestampMs ?? (end && end.offset > readTo ? end.heardMs : epochMs);
    return {
      partition,
      held: assignment?.held.get(partition)?.reason ?? null,
      isSuspect: assignment?.suspicion.has(partition) ?? false,
      oldestUncommittedSeconds: Math.max(0, epochMs - sinceMs) / 1000,
      lagRecords: Math.max(0, (end?.offset ?? 0) - (assignment?.committed.get(partition) ?? 0)),
    };
  });
}
