// Where a reader stood in a partition's log, and where it must go on in the log that is there now: the same log, one
// that lost its end or its beginning, or another one under the old name. Pure: whoever calls asks the brokers.
//
//   retention          next < low                  go on at low          next … low were removed unread
//   log_truncated      the log diverges < next     go on from there      next … the old end are gone
//   topic_recreated    another topic id            go on at low          next … the old end are gone,
//                                                                        and 0 … low of the new one
//
// What a reader knows beside its offset travels as the metadata of its commit, `sluice1 <topic id> <leader epoch> <end>
// [<tries>]`, so that a process that starts later sees what happened while nobody ran. A commit without it, or with
// somebody else's words, counts as of the log that is there. Tries are written only where there are some: a program
// that does not know them reads all other commits.

import type { LossReason, RecordLoss } from '../../queue.ts';

/** What a reader knew of the log at its position. */
export interface LogSnapshot {
  /** Base64url; null where the brokers have no ids (before Kafka 2.8). */
  readonly topicId: string | null;
  /** Of the leader that wrote the record before the position; null where it is not known. */
  readonly epoch: number | null;
  /** The end of the log as it was last heard of: there were at least so many records. */
  readonly end: number;
  /** Assignments that began at the position and have not moved it; absent where there was none. */
  readonly tries?: number;
}

export interface LogPosition {
  readonly next: number;
  readonly snapshot: LogSnapshot | null;
}

/** A partition's log as it is now. */
export interface LogState {
  readonly partition: number;
  readonly topicId: string | null;
  readonly low: number;
  readonly high: number;
  /** Where the log goes past the epoch of the reader's snapshot; null where that is not known. */
  readonly epochEnd: number | null;
}

export interface LogStart {
  readonly next: number;
  /** What became of the log since; null where the reader goes on where it was. */
  readonly change: LossReason | null;
  readonly losses: readonly RecordLoss[];
}

const WORD = 'sluice1';
const NONE = '-';
const SNAPSHOT = /^sluice1 ([A-Za-z0-9_-]{22}|-) (\d{1,10}|-) (\d{1,16})(?: (\d{1,6}))?$/;
/** More need not be told apart. */
const TRIES_MAX = 999_999;

export function encodeSnapshot({ topicId, epoch, end, tries = 0 }: LogSnapshot): string {
  const told = tries > 0 ? ` ${Math.min(tries, TRIES_MAX)}` : '';
  return `${WORD} ${topicId ?? NONE} ${epoch ?? NONE} ${end}${told}`;
}

/** Null where it is not ours. */
export function decodeSnapshot(metadata: string | null | undefined): LogSnapshot | null {
  const [, id, epoch, end, tries = '0'] = SNAPSHOT.exec(metadata ?? '') ?? [];
  if (id === undefined || epoch === undefined || end === undefined) return null;
  const known = {
    topicId: id === NONE ? null : id,
    epoch: epoch === NONE ? null : Number(epoch),
    end: Number(end),
    ...(Number(tries) > 0 && { tries: Number(tries) }),
  };
  return Number.isSafeInteger(known.end) ? known : null;
}

/** Whether the position is one of a topic that had this name before. */
export function isOfAnotherTopic({ snapshot }: LogPosition, topicId: string | null): boolean {
  return snapshot !== null && snapshot.topicId !== null && topicId !== null && snapshot.topicId !== topicId;
}

/** Where to go on. `position` is null where the reader has never been. */
export function startOf(position: LogPosition | null, log: LogState): LogStart {
  const { low, high, epochEnd } = log;
  if (position === null) return { next: low, change: null, losses: [] };
  const { next, snapshot } = position;
  const oldEnd = Math.max(next, snapshot?.end ?? next);
  if (isOfAnotherTopic(position, log.topicId)) {
    const old = lossOf(log, 'topic_recreated', next, oldEnd);
    return { next: low, change: 'topic_recreated', losses: [...old, ...lossOf(log, 'retention', 0, low)] };
  }
  if (epochEnd === null ? next > high : next > epochEnd) {
    // Without epochs nobody knows where it diverges: all that is there is read again, so that nothing is passed over.
    const from = epochEnd ?? low;
    const old = lossOf(log, 'log_truncated', next, oldEnd);
    return {
      next: Math.max(from, low),
      change: 'log_truncated',
      losses: [...old, ...lossOf(log, 'retention', from, low)],
    };
  }
  if (next < low) return { next: low, change: 'retention', losses: lossOf(log, 'retention', next, low) };
  return { next, change: null, losses: [] };
}

function lossOf({ partition }: LogState, reason: LossReason, from: number, to: number): RecordLoss[] {
  return to > from ? [{ partition, reason, from, to, isExact: reason === 'retention' }] : [];
}
