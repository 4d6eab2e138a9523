// The queue between edge and indexer, as both sides see it. Two implementations pass one contract test:
// `kafka` (queue/kafka) and `embedded` (queue/embedded). Offsets and partitions are numbers (below 2^53).
//
// Guarantees: `append` resolves only when the records are stored durably (Kafka acks=all; fsynced); records of one
// partition keep the order of their appends as long as the caller has one append in flight per partition; a committed
// offset is the next one to read; a commit under an assignment that is over is refused.

import type { SourceRule } from '#shared/config/settings/sources.ts';
import type { QueueRecord } from '#shared/record/record.ts';

export interface Queue extends AsyncDisposable {
  readonly kind: 'kafka' | 'embedded';
  /** Why nothing can be appended now; null while the queue takes records. */
  readonly unreadyReason: string | null;
  /** Partitions of the logs topic; 0 until the queue was reached for the first time. */
  readonly partitions: number;
  /** The most bytes that one append to a partition may have, headers and framing included (see `recordBytes`). */
  readonly appendBytesMax: number;
  /**
   * Resolves when the queue has been reached for the first time, so that `partitions` and the limits are known. Keeps
   * trying for as long as it takes; rejects with the signal's reason, or with shutting_down when the queue is closed
   * before.
   */
  opened(signal?: AbortSignal): Promise<void>;
  /**
   * Appends records to one partition of the logs topic, in order. Retries what may pass until the produce timeout.
   * Resolves to 'spool' where a spool on the way holds them, until the queue does.
   * Rejects with queue_unavailable, queue_full (retryable), queue_unauthorized, or queue_refused.
   */
  append(partition: number, records: readonly QueueRecord[]): Promise<StoredBy | void>;
  /**
   * Appends to the dead letters, in fragments where one is larger than a record; resolves when they are stored. Rejects
   * with dead_letters_full where they have a budget of their own, and no place for these.
   */
  appendDeadLetters(deadLetters: readonly DeadLetter[]): Promise<void>;
  /** Erases the dead letters at these offsets, where that can be done; resolves to how many there were. */
  eraseDeadLetters?(offsets: readonly number[]): Promise<number>;
  /** What the dead letters take, where they have a budget of their own. */
  readonly deadLetterSpace?: DeadLetterSpace | undefined;
  /** Starts to read the logs topic as a member of the group; the first callback comes after this has resolved. */
  consume(handler: ConsumerHandler, options: ConsumeOptions): Promise<QueueConsumer>;
  /**
   * Reads partitions of a topic without a group and without commits, from offsets on to the ends as of now. For `cat`
   * and `dead-letters`.
   */
  read(options: ReadOptions): AsyncIterable<FetchedRecord>;
  /**
   * Names of the topics that there are, and of those of `named` that this user is refused, whether they are there or
   * not; absent where there is but one. Rejects as `consume` fails.
   */
  readonly topics?: ((named?: readonly string[]) => Promise<readonly string[]>) | undefined;
}

/** Why a dead letter is refused for want of space; a metric label. */
export const DEAD_LETTER_REFUSALS = ['sender_share', 'key_share', 'edge_share', 'budget'] as const;
export type DeadLetterRefusal = (typeof DEAD_LETTER_REFUSALS)[number];

export interface DeadLetterSpace {
  readonly bytesStored: number;
  readonly bytesMax: number;
  /** `refused` hears of each append of dead letters that is refused for want of it. */
  watch(refused: (reason: DeadLetterRefusal) => void): void;
  /** Whether so many of this sender's events became dead letters that no more of it may be taken. */
  isFullOf(sender: { readonly tenant: string | null; readonly sender: string; readonly input: string }): boolean;
}

/** Where what was appended is stored, if not in the queue itself. */
export type StoredBy = 'spool';

export interface ConsumeOptions {
  readonly group: string;
  /** The most bytes to fetch at once for a partition. */
  readonly fetchBytesMax: number;
  /**
   * A topic of others in place of the logs topic. Its records have foreign headers (foreign-headers.ts), and are of the
   * topic whose id is told with them.
   */
  readonly topic?: string;
}

export interface ReadOptions {
  readonly topic: 'logs' | 'dead-letters';
  /**
   * From the first record at or after this time (ms since the epoch) on; all if absent. Where the queue's clock was set
   * back, earlier ones may come behind it: whoever wants none of them looks at their times.
   */
  readonly fromMs?: number;
  /** Only records before this time. */
  readonly toMs?: number;
  readonly signal?: AbortSignal;
}

/** A record as it was fetched. Headers are as they came: whoever reads must decide what it knows. */
export interface FetchedRecord {
  readonly partition: number;
  readonly offset: number;
  /** Append time by the queue, ms since the epoch. */
  readonly timestampMs: number;
  readonly headers: Readonly<Record<string, Uint8Array>>;
  readonly value: Uint8Array;
  /** Whose it is, where Sluice did not write it; its headers are then those of foreign-headers.ts. */
  readonly source?: RecordSource;
}

/** Where a record of others lies, and how it is read. Plain, for it goes to other processes. */
export interface RecordSource {
  readonly topic: string;
  /** Of the topic that had the name then; null where nobody knows. */
  readonly topicId: string | null;
  /** As Kafka counts: the record's own `partition` may be a number of this process. */
  readonly partition: number;
  readonly rule: SourceRule;
}

export interface FetchedRecords {
  readonly partition: number;
  /** The number under which the partition was assigned when this was fetched. */
  readonly assignment: number;
  /** None where what was fetched holds nothing for readers. */
  readonly records: readonly FetchedRecord[];
  /** Reading goes on here: behind the last record, and what has none after it (transactions' markers). */
  readonly next: number;
  /** Offset after the last record of the partition, as of the fetch. */
  readonly endOffset: number;
  /** Of the topic that they were fetched from, where that is known; told for topics of others. */
  readonly topicId?: string | null;
}

export interface AssignedPartition {
  readonly partition: number;
  /** First offset that will be fetched. */
  readonly next: number;
  /** Offset after the last record, as of now. */
  readonly end: number;
  /**
   * So many assignments, this one included, began at `next` and did not move it, as the queue keeps with the committed
   * offset: each is counted there before it is reported. Absent where there is nothing to be read.
   */
  readonly tries?: number;
}

/** All callbacks only take note; they must not block. */
export interface ConsumerHandler {
  /**
   * Work may begin on these partitions, none of which is paused. Each new assignment has a higher number, and comes
   * after the revocation of the one before.
   */
  assigned(partitions: readonly AssignedPartition[], assignment: number): void;
  /**
   * `assignment` is revoked: drop what was fetched under it, never commit it. Not called when the owner itself closes
   * the consumer. `isGone`: the log that it came from is no more, nobody can read it again. Finish it all the same; but
   * never commit it.
   */
  revoked(assignment: number, isGone?: boolean): void;
  /**
   * Returns an offset where it did not take the records from there on: they are handed over again when the partition,
   * which it has paused, is resumed.
   */
  fetched(batch: FetchedRecords): number | void;
  /**
   * A log is not what it was: reading goes on elsewhere, and records are lost that nobody had read. Each change is
   * reported once.
   */
  logsChanged?(changes: readonly LogChange[]): void;
  /** The consumer has ended for good, by an error that its owner must act on. */
  failed(error: Error): void;
}

/** A partition's log that lost its beginning or its end, or gave way to another one of the same name. */
export interface LogChange {
  readonly partition: number;
  readonly reason: LossReason;
  /** Where reading stood, and where it goes on. */
  readonly from: number;
  readonly next: number;
  /** May be empty: what was removed had been read. */
  readonly losses: readonly RecordLoss[];
}

/** A metric label. */
export type LossReason = 'topic_recreated' | 'log_truncated' | 'retention';

/** Records from `from` up to, not including, `to` that are gone unread. */
export interface RecordLoss {
  readonly partition: number;
  readonly reason: LossReason;
  readonly from: number;
  readonly to: number;
  /** False: there were at least so many; what was appended last nobody here had heard of. */
  readonly isExact: boolean;
}

export interface QueueConsumer extends AsyncDisposable {
  /** Stops fetching of a partition, at the latest with the next fetch; what comes before is still handed over. */
  pause(partitions: readonly number[]): void;
  resume(partitions: readonly number[]): void;
  /** Commits next offsets. Rejects with assignment_lost, without any effect, if `assignment` is not the present one. */
  commit(assignment: number, nextOffsets: ReadonlyMap<number, number>): Promise<void>;
}

/** An event or a chunk that could not be indexed, with the reason and its original bytes. */
export interface DeadLetter {
  /** Encoded `batches` header with the one batch; empty where nothing could be read. */
  readonly batches: Uint8Array;
  /** Index of the event in its batch; absent where the dead letter is of a whole chunk. */
  readonly index?: number;
  /** From a closed set; a metric label. */
  readonly reason: string;
  /** What Elasticsearch, or our decoder, said. */
  readonly error: string;
  /** "topic/partition/offset" of the record, or "edge". */
  readonly from: string;
  /** The event's msgpack entry, or the raw bytes of a chunk. */
  readonly value: Uint8Array;
  /** Whether `value` is only the beginning, because the rest was never in memory. */
  readonly cut: boolean;
  /**
   * Of a whole record: its headers `encoding` and `v` as they came, without which its value could not be read again.
   */
  readonly encoding?: Uint8Array;
  readonly recordVersion?: Uint8Array;
  /** Where it came from, if `batches` have a name that its sender gave itself. Counted by, and not kept. */
  readonly peerAddress?: string;
  /** Present where this is one of several fragments; see dead-letter-fragments.ts. */
  readonly fragment?: DeadLetterFragment;
}

/** Where in a dead letter that is larger than a record the `value` of one of its fragments lies. */
export interface DeadLetterFragment {
  /** Of the whole: 16 bytes. */
  readonly id: Uint8Array;
  readonly at: number;
  /** Of the whole. */
  readonly bytes: number;
  /** So many bytes at the beginning of the whole are its table of batches; 0 where a header has it. */
  readonly tableBytes: number;
}
