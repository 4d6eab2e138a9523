// A range of the logs that is read once more, beside whoever consumes them. One implementation for each queue:
// kafka/kafka-rewind.ts and embedded/embedded-rewind.ts.
//
// Guarantees: the offsets of the indexers' group are neither read nor changed. What `save` keeps under a name outlives
// the process, and counts only for the log that it was saved for: one that was made anew is read from its beginning.

import type { FetchedRecord } from './queue.ts';

/** How far a partition was read once more. */
export interface RewindPosition {
  /** First offset that is not done. */
  readonly next: number;
  /** Readings that began there, and did not get on. */
  readonly tries: number;
}

/** Where a range of time lies in a partition, by when the queue took its records. */
export interface RewindRange {
  readonly partition: number;
  /** First offset that is still there. */
  readonly low: number;
  /** Records of the range: from here on, and before that. */
  readonly first: number;
  readonly end: number;
  /** What was saved; null where nothing was. */
  readonly saved: RewindPosition | null;
}

export interface OffsetSpan {
  readonly next: number;
  readonly end: number;
}

export interface RewindSource extends AsyncDisposable {
  /** @param name under which positions are saved; times are ms since the epoch */
  locate(range: { readonly fromMs: number; readonly toMs: number; readonly name: string }): Promise<RewindRange[]>;
  /** First offsets that are still there, by partition. Rejects with queue_refused where a log ends before its range. */
  lows(): Promise<ReadonlyMap<number, number>>;
  /** Records of these spans, each partition in order. Ends when nothing of them is to come. */
  read(spans: ReadonlyMap<number, OffsetSpan>, signal: AbortSignal): AsyncIterable<FetchedRecord>;
  save(name: string, positions: ReadonlyMap<number, RewindPosition>): Promise<void>;
  /** Forgets what was saved: all is done. */
  forget(name: string): Promise<void>;
}
