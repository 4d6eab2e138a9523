// Appends to the local queue of a spool, in pieces that it accepts. If the spool is full and its oldest records may be
// dropped, they make room for new ones.
//
// Guarantees: an append resolves when all of it is stored durably. After a failure the spool is not ready for some
// time; only another try shows whether it works again.

import { randomBytes } from 'node:crypto';
import type { Clock } from '#shared/clock.ts';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import type { QueueRecord } from '#shared/record/record.ts';
import { fragmentsOf } from '../dead-letter-fragments.ts';
import { recordBytes } from '../headers.ts';
import type { DeadLetter } from '../queue.ts';
import type { LocalQueue } from './local/local-queue.ts';

// An entry of the spool is a little larger than its record, which has 128 bytes at least.
const LOCAL_SHARE = 8 / 9;
/** Given up at once when the spool is full, so that not every append has to. */
const DROP_BYTES_MIN = 1024 * 1024;
/** A device that others have filled is not helped by giving up everything. */
const DROPS_MAX = 5;
/** Of a dead letter; what is larger is spooled in fragments. */
const SPOOLED_FRAGMENT_BYTES = 512 * 1024;
const FRAGMENT_ID_BYTES = 16;
/** After so long a spool that could not be written is tried again. */
const FAILURE_REPORTED_MS = 5000;

export interface LocalAppendsOptions {
  readonly local: LocalQueue;
  readonly clock: Clock;
  /** What becomes of an append that finds the spool full: it is refused, or the oldest records are given up for it. */
  readonly full: 'push-back' | 'drop-oldest';
  /** Gives up so many bytes of the oldest records; resolves to how many it were. */
  dropOldest(bytes: number): Promise<number>;
}

export class LocalAppends {
  readonly #options: LocalAppendsOptions;
  readonly #local: LocalQueue;
  #failure: { readonly reason: string; readonly atMs: number } | null = null;
  #dropping: Promise<number> | null = null;

  constructor(options: LocalAppendsOptions) {
    this.#options = options;
    this.#local = options.local;
  }

  /** The largest append as its caller counts it. */
  get bytesMax(): number {
    return Math.floor(this.#local.appendBytesMax * LOCAL_SHARE);
  }

  get unreadyReason(): string | null {
    const { full, clock } = this.#options;
    // Where room is made by giving up the oldest, a spool that is full takes more; only a try tells.
    const reason = full === 'drop-oldest' ? null : this.#local.unreadyReason;
    if (reason !== null) return reason;
    if (this.#failure === null || (this.#local.kind === 'embedded' && full !== 'drop-oldest')) return null;
    return clock.monotonicMs() - this.#failure.atMs < FAILURE_REPORTED_MS ? this.#failure.reason : null;
  }

  /** Dead letters that the spool takes record by record, and the queue behind it most likely too. */
  fragmentsOf(deadLetters: readonly DeadLetter[]): DeadLetter[] {
    const bytesMax = Math.min(SPOOLED_FRAGMENT_BYTES, Math.floor(this.#local.appendBytesMax / 2));
    return deadLetters.flatMap((one) => fragmentsOf(one, bytesMax, () => randomBytes(FRAGMENT_ID_BYTES)));
  }

  /** `stored`: so many of the records are stored, in the step in which that is known. */
  async append(records: readonly QueueRecord[], stored: (count: number) => void): Promise<void> {
    for (const append of this.#appendsOf(records)) {
      await this.#store(append);
      stored(append.length);
    }
    this.#failure = null;
  }

  /** An append failed; returns why. */
  failed(error: unknown): string {
    this.#failure = { reason: reasonOf(error), atMs: this.#options.clock.monotonicMs() };
    return this.#failure.reason;
  }

  /** What the spool takes at once; only a large dead letter in its fragments is more than that. */
  #appendsOf(records: readonly QueueRecord[]): QueueRecord[][] {
    const appends: QueueRecord[][] = [];
    let bytes = 0;
    for (const record of records) {
      const size = recordBytes(record);
      const last = appends.at(-1);
      if (last && bytes + size <= this.#local.appendBytesMax) {
        last.push(record);
        bytes += size;
      } else {
        appends.push([record]);
        bytes = size;
      }
    }
    return appends;
  }

  async #store(records: readonly QueueRecord[]): Promise<void> {
    for (let drops = 0; ; drops++) {
      try {
        await this.#local.append(0, records);
        return;
      } catch (error) {
        const isFull = error instanceof SluiceError && error.code === 'queue_full';
        if (!isFull || this.#options.full !== 'drop-oldest' || drops === DROPS_MAX) throw error;
        if ((await this.#makeRoom(records)) === 0) throw error;
      }
    }
  }

  /** Those who find the spool full at the same time make room together. */
  #makeRoom(records: readonly QueueRecord[]): Promise<number> {
    let bytes = DROP_BYTES_MIN;
    for (const { batches, value } of records) bytes += batches.length + value.length;
    this.#dropping ??= this.#options.dropOldest(bytes).finally(() => (this.#dropping = null));
    return this.#dropping;
  }
}
