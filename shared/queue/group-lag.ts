// How far behind a group is, from what the queue itself knows: correct also when no indexer runs, or when one is stuck.
// In records, and in seconds: the age of the oldest record that is not committed. open-lag.ts chooses between two
// implementations.

import type { SluiceError } from '#shared/errors.ts';

export interface PartitionLag {
  readonly partition: number;
  /** First offset that is still there, and the one after the last. */
  readonly low: number;
  readonly high: number;
  /**
   * Where a member of the group begins to read: the committed offset, or the earliest where that is none or no more.
   */
  readonly next: number;
  /** Append time of the record at `next`, ms since the epoch; null when caught up. */
  readonly oldestMs: number | null;
}

export interface GroupLag {
  readonly group: string;
  readonly topic: string;
  /** When this was so, ms since the epoch. */
  readonly atMs: number;
  readonly partitions: readonly PartitionLag[];
  /** Members of the group that are connected now; null where nobody knows. */
  readonly members: number | null;
  /** After this time the queue may remove records that nobody has read; null where it never does for their age. */
  readonly retentionMs: number | null;
}

export interface LagSource extends AsyncDisposable {
  /** Looks now. Rejects with queue_unavailable, topic_missing, or queue_refused. */
  sample(): Promise<GroupLag>;
  /** Of the groups that read topics of others; absent where none does. What cannot be read is among its failures. */
  others?(): Promise<OtherLags>;
}

export interface OtherLags {
  readonly lags: readonly GroupLag[];
  readonly failures: readonly LagFailure[];
}

/** Why a lag is not known. */
export interface LagFailure {
  /** Null where it is not known which topics there are. */
  readonly topic: string | null;
  readonly error: SluiceError;
}

/** Records that are not committed. */
export function lagRecords({ next, high }: PartitionLag): number {
  return Math.max(0, high - next);
}

/** Age of the oldest record that is not committed, in seconds; 0 when caught up. */
export function lagSeconds({ oldestMs }: PartitionLag, atMs: number): number {
  return oldestMs === null ? 0 : Math.max(0, atMs - oldestMs) / 1000;
}
