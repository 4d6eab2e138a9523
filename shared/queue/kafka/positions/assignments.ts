// Which partitions are assigned now, under which number, and how far each was handed over. Pure bookkeeping of the
// consumer.
//
// Fencing: Kafka takes a commit for a partition that its sender has lost, if only the sender has joined again since. So
// a number is revoked before the next request to join is sent, and under a revoked number nothing is committed.

import type { LogSnapshot, LogPosition } from './log-position.ts';

export interface Start {
  readonly partition: number;
  readonly next: number;
  readonly end: number;
  /** Assignments that began at `next`, this one included; absent where they are not counted. */
  readonly tries?: number;
  /**
   * Epoch of the leader that wrote the record before `next`, and of the one that leads now; null where they are not
   * known.
   */
  readonly epoch?: number | null;
  readonly leaderEpoch?: number | null;
}

interface TopicSeen {
  readonly topicId: string | null;
  readonly topicPartitions: number;
}

const UNSEEN: TopicSeen = { topicId: null, topicPartitions: 0 };

/** From which offset on records are of which leader's epoch. */
export interface EpochStart {
  readonly from: number;
  readonly epoch: number;
}

/** What is known of a partition's log at the place that was reached. */
interface LogCursor {
  next: number;
  /** Where the group goes on, if we die now. */
  committed: number;
  end: number;
  epochs: EpochStart[];
  /** Up to this epoch the log was found to go on from where we stood. */
  checkedEpoch: number | null;
  /** Where we stood then. */
  checkedAt?: number;
}

/** What is assigned under one number. */
export class MemberAssignment {
  readonly number: number;
  readonly partitions: readonly number[];
  /** Resolves to true once the owner knows of it, to false if it is revoked before. */
  readonly announced: Promise<boolean>;
  readonly #announced = Promise.withResolvers<boolean>();
  readonly #cursors = new Map<number, LogCursor>();
  readonly #soughtBack = new Map<number, number>();
  #isAnnounced = false;
  #topicId: string | null = null;
  #topicPartitions = 0;

  constructor(number: number, partitions: readonly number[]) {
    this.number = number;
    this.partitions = partitions;
    this.announced = this.#announced.promise;
  }

  /** Whether the owner knows of it. */
  get isAnnounced(): boolean {
    return this.#isAnnounced;
  }

  /** It is known where each partition begins, and of which topic it is. */
  prepare(starts: readonly Start[], { topicId, topicPartitions }: TopicSeen = UNSEEN): void {
    this.#topicId = topicId;
    this.#topicPartitions = topicPartitions;
    for (const { partition, next, end, epoch = null, leaderEpoch = null } of starts) {
      const epochs = epoch === null ? [] : [{ from: 0, epoch }];
      this.#cursors.set(partition, { next, committed: next, end, epochs, checkedEpoch: leaderEpoch });
    }
  }

  /** The owner knows of it. */
  announce(): void {
    this.#isAnnounced = true;
    this.#announced.resolve(true);
  }

  /** Which topic it is of, by its id; null where the brokers have none. */
  get topicId(): string | null {
    return this.#topicId;
  }

  /** Of the whole topic, when it was prepared. */
  get topicPartitions(): number {
    return this.#topicPartitions;
  }

  /** How far each partition was handed over, and what is known of its log there. */
  positions(): Map<number, LogPosition> {
    const positions = new Map<number, LogPosition>();
    for (const [partition, { next }] of this.#cursors)
      positions.set(partition, { next, snapshot: this.snapshot(partition, next) });
    return positions;
  }

  /** Where the group stands in each partition by our own commits, and what is known of its log there. */
  committed(): Map<number, LogPosition> {
    const positions = new Map<number, LogPosition>();
    for (const [partition, { committed: next }] of this.#cursors)
      positions.set(partition, { next, snapshot: this.snapshot(partition, next) });
    return positions;
  }

  /** What is known of the log where `next` is committed. */
  snapshot(partition: number, next: number): LogSnapshot {
    const cursor = this.#cursors.get(partition);
    const epoch = cursor?.epochs.findLast(({ from }) => from < next)?.epoch ?? null;
    return { topicId: this.#topicId, epoch, end: Math.max(next, cursor?.end ?? 0) };
  }

  /** Committed up to here: what is known of earlier records is not asked for again. */
  forget(partition: number, next: number): void {
    const cursor = this.#cursors.get(partition);
    if (cursor === undefined) return;
    cursor.committed = Math.max(cursor.committed, next);
    const last = cursor.epochs.findLastIndex(({ from }) => from < next);
    if (last > 0) cursor.epochs.splice(0, last);
  }

  /**
   * Whether a record of this epoch, at the place that was reached, may be of a log that diverged before it: it was
   * written under a leader that came after we last looked.
   */
  isSuspect(partition: number, epoch: number): boolean {
    const cursor = this.#cursors.get(partition);
    const before = cursor?.epochs.at(-1)?.epoch;
    if (cursor === undefined || cursor.checkedEpoch === null || epoch === before) return false;
    if (epoch > cursor.checkedEpoch) return true;
    // Whoever committed may have named the epoch of a later record. Once it was checked, the log itself is believed:
    // else it would be stopped at for ever.
    return before !== undefined && epoch < before && cursor.checkedAt !== cursor.next;
  }

  /** The log was found to go on from the place that was reached, up to this epoch. */
  check(partition: number, leaderEpoch: number | null): void {
    const cursor = this.#cursors.get(partition);
    if (cursor === undefined) return;
    cursor.checkedEpoch = leaderEpoch;
    cursor.checkedAt = cursor.next;
    if ((cursor.epochs.at(-1)?.epoch ?? 0) > (leaderEpoch ?? 0)) cursor.epochs = [];
  }

  end(): void {
    this.#announced.resolve(false);
  }

  /**
   * Whether a batch that was fetched from `offset` on comes next. A batch from before a rebalance may arrive after it;
   * then the answer is the offset to seek back to. If that offset is not to be had any more, the same jump comes again,
   * and is taken.
   */
  expects(partition: number, offset: number): 'next' | { readonly seek: number } | { readonly lostFrom: number } {
    const position = this.#cursors.get(partition)?.next;
    if (position === undefined || offset === position) return 'next';
    if (this.#soughtBack.get(partition) === position) return { lostFrom: position };
    this.#soughtBack.set(partition, position);
    return { seek: position };
  }

  /**
   * Up to `next` it was handed over; `epochs` are of the records that were, and the log ends at `end` for all that is
   * known.
   */
  handedOver(partition: number, next: number, log: { epochs?: readonly EpochStart[]; end?: number } = {}): void {
    const cursor = this.#cursors.get(partition);
    if (cursor === undefined) return;
    const { epochs = [], end = next } = log;
    // The first may have begun with what no reader sees, too.
    const reached = cursor.next;
    cursor.next = next;
    cursor.end = Math.max(end, next);
    for (const [i, { from, epoch }] of epochs.entries()) {
      if (cursor.epochs.at(-1)?.epoch !== epoch)
        cursor.epochs.push({ from: i === 0 ? Math.min(from, reached) : from, epoch });
    }
  }
}

/** The present assignment, or none. */
export class MemberAssignments {
  #current: MemberAssignment | null = null;
  #last = 0;

  get current(): MemberAssignment | null {
    return this.#current;
  }

  /** Number of the latest assignment; 0 before the first. */
  get last(): number {
    return this.#last;
  }

  take(partitions: readonly number[]): MemberAssignment {
    this.revoke();
    this.#current = new MemberAssignment(++this.#last, partitions);
    return this.#current;
  }

  /** Revokes the present assignment; returns it if there was one. */
  revoke(): MemberAssignment | null {
    const current = this.#current;
    this.#current = null;
    current?.end();
    return current;
  }
}
