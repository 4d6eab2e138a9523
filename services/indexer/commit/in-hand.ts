// What the indexer has in hand of its partitions: assignments, and the records that were fetched under them. A record
// knows how many of its events have no outcome yet; with the last outcome it is finished, its bytes are given back, and
// its offset may be passed.

import assert from 'node:assert/strict';
import type { ByteBudget, Permit } from '#shared/byte-budget.ts';
import type { FetchedRecord } from '#shared/queue/queue.ts';
import { ContiguousOffsets, type PendingOffset } from './contiguous-offsets.ts';
import { RECORD_OVERHEAD_BYTES } from '../unpack/bytes-in-hand.ts';
import { Suspicion } from '../poison/suspicion.ts';
import type { Unreadable } from '../unpack/unpack.ts';

const NOTHING = new Uint8Array(0);

/** Why a partition waits for an operator; a closed set, for it is a metric label. */
export const HOLD_REASONS = ['record_version_unknown'] as const;
export type HoldReason = (typeof HOLD_REASONS)[number];

/**
 * A partition that is read no further than this record, until it is assigned anew: what is there needs somebody first.
 */
export interface HeldPartition {
  readonly offset: number;
  readonly reason: HoldReason;
  /** What is the case and what to do, in a sentence. */
  readonly error: string;
}

export class Assignment {
  readonly number: number;
  /** Set when the partitions were lost: what was fetched under it is never committed. */
  isRevoked = false;
  readonly partitions = new Map<number, ContiguousOffsets>();
  /** Offsets that are committed, as far as it is known here; at first, where reading begins. */
  readonly committed = new Map<number, number>();
  /** The end of each partition as it was last heard of, and when that was. */
  readonly ends = new Map<number, { readonly offset: number; readonly heardMs: number }>();
  /** By partition. Nothing behind the offset goes on; the other partitions do. */
  readonly held = new Map<number, HeldPartition>();
  /** Records that may have ended the indexers that had the partitions before. */
  readonly suspicion = new Suspicion();

  /** Partitions whose commits are delayed, and where the records end that another may have on its way to the store. */
  readonly #inherited = new Map<number, number>();

  /** Offsets of records that a request without an answer may still write, and how many such requests. */
  readonly #unsure = new Map<number, Map<number, number>>();

  constructor(number: number, partitions: readonly { readonly partition: number; readonly next: number }[]) {
    this.number = number;
    for (const { partition, next } of partitions) {
      this.partitions.set(partition, new ContiguousOffsets(next));
      this.committed.set(partition, next);
    }
  }

  /** The partition was heard to end at this offset, at this time (ms since the epoch). */
  hear(partition: number, offset: number, heardMs: number): void {
    this.ends.set(partition, { offset, heardMs });
  }

  /** All records before `to` came: offsets without one are passed, unless the partition is held, to come again. */
  passTo(partition: number, to: number): void {
    if (!this.held.has(partition)) this.partitions.get(partition)?.skipTo(to);
  }

  /** The partitions that are held, in a sentence; null where none is. */
  get heldReason(): string | null {
    for (const [partition, { offset, error }] of this.held)
      return `partition ${partition} is held at offset ${offset}: ${error}`;
    return null;
  }

  /** Whether all records were read that the partition has, as far as it was heard. */
  isReadToEnd(partition: number): boolean {
    return (this.partitions.get(partition)?.readTo ?? 0) >= (this.ends.get(partition)?.offset ?? 0);
  }

  /**
   * Another had the partition, and may still write what lies before `end`: nothing of it is committed until `release`.
   */
  inherit(partition: number, end: number): void {
    if (end > (this.committed.get(partition) ?? 0)) this.#inherited.set(partition, end);
  }

  release(): void {
    this.#inherited.clear();
  }

  get hasInherited(): boolean {
    return this.#inherited.size > 0;
  }

  /** Whether another may still write the events of this record. */
  isInherited({ partition, offset }: FetchedRecord): boolean {
    return !this.isRevoked && offset < (this.#inherited.get(partition) ?? -1);
  }

  /**
   * A request with events of this record brought no answer: its offset stays until `beSure`, whatever becomes of the
   * record.
   */
  beUnsure({ partition, offset }: FetchedRecord): void {
    let offsets = this.#unsure.get(partition);
    if (!offsets) this.#unsure.set(partition, (offsets = new Map()));
    offsets.set(offset, (offsets.get(offset) ?? 0) + 1);
  }

  /** Second copies that the request can have made were looked for. */
  beSure({ partition, offset }: FetchedRecord): void {
    const offsets = this.#unsure.get(partition);
    const requests = (offsets?.get(offset) ?? 0) - 1;
    assert(offsets && requests >= 0, 'a record is sure as often as it was unsure');
    if (requests > 0) offsets.set(offset, requests);
    else offsets.delete(offset);
    if (offsets.size === 0) this.#unsure.delete(partition);
  }

  /** Whether something that is finished may not be committed yet. */
  get isWaiting(): boolean {
    return this.hasInherited || this.#unsure.size > 0;
  }

  /**
   * The offset of a partition was committed. Returns whether nothing of the partition is suspect any more, and
   * something was.
   */
  noteCommitted(partition: number, next: number): boolean {
    this.committed.set(partition, next);
    return this.suspicion.moved(partition, next, this.partitions.get(partition)?.readTo ?? next);
  }

  /** Partitions whose offset could be committed further, and to where. */
  committable(): Map<number, number> {
    const moved = new Map<number, number>();
    for (const [partition, offsets] of this.partitions) {
      if (this.#inherited.has(partition)) continue;
      let { next } = offsets;
      for (const unsure of this.#unsure.get(partition)?.keys() ?? []) next = Math.min(next, unsure);
      next = offsets.before(next);
      if (next > (this.committed.get(partition) ?? 0)) moved.set(partition, next);
    }
    return moved;
  }
}

export class RecordInHand {
  readonly assignment: Assignment;
  #fetched: FetchedRecord;
  readonly #offsets: ContiguousOffsets;
  readonly #pendingOffset: PendingOffset;
  #permit: Permit;
  /** Events without an outcome; all of them from the moment at which the record is opened. */
  unsettled = 0;
  /** Of them: parts of lines, whose bytes are their own. */
  apart = 0;
  #isShed = false;
  /** It was tried out, and is not to be opened. */
  poison: Unreadable | null = null;
  /** Some of its events were abandoned: the record must be read again, so its offset stays. */
  abandoned = false;

  constructor(assignment: Assignment, fetched: FetchedRecord, permit: Permit) {
    const offsets = assignment.partitions.get(fetched.partition);
    assert(offsets, 'records are fetched from assigned partitions only');
    this.assignment = assignment;
    this.#fetched = fetched;
    this.#offsets = offsets;
    // By a clock that was ahead it would be no late one, however long it stays.
    const heardMs = assignment.ends.get(fetched.partition)?.heardMs ?? Infinity;
    this.#pendingOffset = offsets.start(fetched.offset, Math.min(fetched.timestampMs, heardMs));
    this.#permit = permit;
  }

  /** Without its headers and value from the moment on at which only parts of lines have no outcome. */
  get fetched(): FetchedRecord {
    return this.#fetched;
  }

  /** So many bytes more are in memory for the record, until it is finished or given up. */
  addBytes(bytes: number): void {
    this.#permit.grow(bytes);
  }

  /** Its bytes count in this budget from now on. */
  countIn(budget: ByteBudget): void {
    const { bytes } = this.#permit;
    this.#permit[Symbol.dispose]();
    this.#permit = budget.take(bytes);
  }

  /**
   * Lets go of its bytes where only parts of lines have no outcome, which have their own: what they wait for may take
   * seconds, and be more than may be in hand. The offset stays. To be called when some events have their outcome, and
   * when all have gone on.
   */
  shed(): void {
    if (this.#isShed || this.unsettled === 0 || this.unsettled > this.apart) return;
    this.#isShed = true;
    this.#fetched = { ...this.#fetched, headers: {}, value: NOTHING };
    this.#permit.shrinkTo(RECORD_OVERHEAD_BYTES);
  }

  get partition(): number {
    return this.#fetched.partition;
  }

  get offset(): number {
    return this.#fetched.offset;
  }

  /** When the queue took it, ms since the epoch. */
  get appendedMs(): number {
    return this.#fetched.timestampMs;
  }

  /** Nothing behind the beginning of this record is committed, until `releaseCommit`. */
  holdCommit(): void {
    this.#offsets.hold(this.offset);
  }

  /** From the end of the record at `lastOffset` on commits may go on; between the two they may not begin. */
  releaseCommit(lastOffset: number): void {
    this.#offsets.release(lastOffset);
  }

  get isInherited(): boolean {
    return this.assignment.isInherited(this.fetched);
  }

  /** The partition is read no further than before this record, or one before it. */
  get isBehindHold(): boolean {
    return this.assignment.held.has(this.fetched.partition);
  }

  /** The record had all its outcomes: its offset may be passed. */
  finish(): void {
    assert(this.unsettled === 0 && !this.abandoned, 'a record is finished when each of its events has an outcome');
    this.#offsets.finish(this.#pendingOffset);
    this.#permit[Symbol.dispose]();
  }

  /**
   * The record was given up: its bytes go, its offset stays, so that whoever owns the partition next reads it again.
   */
  giveUp(): void {
    this.#permit[Symbol.dispose]();
  }
}
