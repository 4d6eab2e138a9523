// Finds which logs of a topic have changed (made anew, truncated, overtaken by retention), as it is reported, and where
// the partitions of an assignment start. The rule is in positions/log-position.ts; kafka-consumer.ts acts on it. Pure.

import type { AssignedPartition, LogChange } from '../../queue.ts';
import type { Start } from '../positions/assignments.ts';
import type { PartitionOffsets } from '../broker/group-offsets.ts';
import { isOfAnotherTopic, type LogPosition, startOf } from '../positions/log-position.ts';

/**
 * What was found under the assignment before: it counts in place of what is committed, as long as it is of the same
 * topic.
 */
export interface Changed {
  readonly topicId: string | null;
  readonly changes: readonly LogChange[];
}

export const NOTHING_CHANGED: Changed = { topicId: null, changes: [] };

/** The partitions whose logs are not what they were. */
export function changesIn(offsets: readonly PartitionOffsets[]): LogChange[] {
  return offsets.map(changeOf).filter((change) => change !== null);
}

/** The same, where some was found before. */
export function changesOf(offsets: readonly PartitionOffsets[], changed: Changed): LogChange[] {
  return offsets.map((one) => foundOf(one, changed) ?? changeOf(one)).filter((change) => change !== null);
}

/**
 * Kafka forgets what a group has committed together with the topic, and `sluice setup` may have committed the start
 * of the new one by now. So what this member remembers of the topic before counts as well: a topic that was made anew
 * is reported also by a member that had to join again first. It goes on where the group stands in the new topic, if it
 * does.
 */
export function withRemembered(
  offsets: readonly PartitionOffsets[],
  remembered: ReadonlyMap<number, LogPosition>,
): PartitionOffsets[] {
  return offsets.map((one) => {
    const position = remembered.get(one.partition);
    const isNews = one.change === null && position !== undefined && isOfAnotherTopic(position, one.topicId);
    if (!isNews) return one;
    const { next, change, losses } = startOf(position, { ...one, epochEnd: null });
    if (one.position === null) return { ...one, position, next, change, losses };
    return { ...one, position, change, losses: losses.filter(({ reason }) => reason === change) };
  });
}

export function startsOf(offsets: readonly PartitionOffsets[], changed: Changed): Start[] {
  return offsets.map((one) => {
    const found = foundOf(one, changed);
    const { partition, position, next, change, high, leaderEpoch } = one;
    const isOther = found !== undefined || change !== null;
    const epoch = isOther ? null : (position?.snapshot?.epoch ?? null);
    const start = { partition, next: found?.next ?? next, end: high, epoch, leaderEpoch };
    // Where nothing is to be read, nothing is tried; and what lies behind a change was never tried.
    const isTried = !isOther && position !== null && next < high;
    return isTried ? { ...start, tries: (position.snapshot?.tries ?? 0) + 1 } : start;
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

/**
 * What is committed before anything is read, so that whoever comes after us does not report the same change again,
 * finds where a group began that never committed, and counts our try.
 */
export function movedBy(
  offsets: readonly PartitionOffsets[],
  starts: readonly Start[],
  changes: readonly LogChange[],
): Map<number, number> {
  const unknown = offsets.filter(({ position }) => position === null);
  const tried = starts.filter(({ tries = 0 }) => tries > 0);
  return new Map([...tried, ...unknown, ...changes].map(({ partition, next }) => [partition, next]));
}

/** The starts as the owner hears of them. */
export function assignedOf(starts: readonly Start[]): AssignedPartition[] {
  return starts.map(({ partition, next, end, tries }) => {
    return { partition, next, end, ...(tries !== undefined && { tries }) };
  });
}

function foundOf({ partition, topicId }: PartitionOffsets, changed: Changed): LogChange | undefined {
  return topicId === changed.topicId ? changed.changes.find((change) => change.partition === partition) : undefined;
}

function changeOf({ partition, change, position, next, losses }: PartitionOffsets): LogChange | null {
  return change === null ? null : { partition, reason: change, from: position?.next ?? next, next, losses };
}
