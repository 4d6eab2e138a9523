// What of a topic's logs has changed, as it is told, and where the partitions of an assignment begin. Pure.

import type { LogChange } from '../queue.ts';
import type { Start } from './assignments.ts';
import type { PartitionStand } from './group-offsets.ts';
import { isOfAnotherTopic, type LogPosition, startOf } from './log-position.ts';

/** What was found under the assignment before: it counts in place of what is committed, as long as it is of the same topic. */
export interface Changed {
  readonly topicId: string | null;
  readonly changes: readonly LogChange[];
}

export const NOTHING_CHANGED: Changed = { topicId: null, changes: [] };

/** The partitions whose logs are not what they were. */
export function changesIn(stands: readonly PartitionStand[]): LogChange[] {
  return stands.map(changeOf).filter((change) => change !== null);
}

/** The same, where some was found before. */
export function changesOf(stands: readonly PartitionStand[], changed: Changed): LogChange[] {
  return stands.map((stand) => foundOf(stand, changed) ?? changeOf(stand)).filter((change) => change !== null);
}

/**
 * Kafka forgets what a group has committed together with the topic. Where nothing is committed, what this member remembers of
 * the topic before counts, so that a topic that was made anew is told also by a member that had to join again first.
 */
export function withRemembered(
  stands: readonly PartitionStand[],
  remembered: ReadonlyMap<number, LogPosition>,
): PartitionStand[] {
  return stands.map((stand) => {
    const position = remembered.get(stand.partition);
    if (stand.position !== null || position === undefined || !isOfAnotherTopic(position, stand.topicId)) return stand;
    return { ...stand, ...startOf(position, { ...stand, epochEnd: null }), position };
  });
}

export function startsOf(stands: readonly PartitionStand[], changed: Changed): Start[] {
  return stands.map((stand) => {
    const found = foundOf(stand, changed);
    const { partition, position, next, change, high, leaderEpoch } = stand;
    const isOther = found !== undefined || change !== null;
    const epoch = isOther ? null : (position?.mark?.epoch ?? null);
    const start = { partition, next: found?.next ?? next, end: high, epoch, leaderEpoch };
    // Where nothing is to be read, nothing is tried; and what lies behind a change was never tried.
    const isTried = !isOther && position !== null && next < high;
    return isTried ? { ...start, tries: (position.mark?.tries ?? 0) + 1 } : start;
  });
}

/** The starts, with the tries that were counted for this assignment before, if they were. */
export function withTries(starts: readonly Start[], counted: Map<number, number>): Start[] {
  return starts.map((start) => {
    if (start.tries === undefined) return start;
    const tries = counted.get(start.partition) ?? start.tries;
    counted.set(start.partition, tries);
    return { ...start, tries };
  });
}

function foundOf({ partition, topicId }: PartitionStand, changed: Changed): LogChange | undefined {
  return topicId === changed.topicId ? changed.changes.find((change) => change.partition === partition) : undefined;
}

function changeOf({ partition, change, position, next, losses }: PartitionStand): LogChange | null {
  return change === null ? null : { partition, reason: change, from: position?.next ?? next, next, losses };
}
