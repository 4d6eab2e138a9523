// A batch that comes in slices, on its way to the queue. Each slice is a segment of its own, and only a few are in hand
// at once. So a chunk of any size costs little memory, and other senders' records go between. Bad entries go to the
// dead letters.
//
// Guarantees: `finish` resolves only when every slice is stored; after the first failure, no further slice is taken.

import { valueEnd } from '#shared/msgpack/extents.ts';
import type { DeadLetter } from '#shared/queue/queue.ts';
import type { Batch } from '#shared/record/record.ts';
import type { BadEntries, Slices, UnreadRest } from './chunk.ts';
import type { Lane } from '../gather/partition-lane.ts';
import { Settlement } from '../gather/settlement.ts';
import type { TenantQuota } from './tenant-quotas.ts';

export interface SlicedBatchOptions {
  readonly batch: Batch;
  readonly lane: Lane;
  readonly room: TenantQuota;
  /** Bytes as they were sent, for each byte of an entry. */
  readonly sentShare: number;
  /** Throws when no more may be taken. */
  readonly mayGoOn: () => void;
  readonly appendDeadLetters: (deadLetters: readonly DeadLetter[]) => Promise<void>;
  /** `index`: of one entry; null: of what is no whole entry. */
  readonly deadLetterOf: (bad: UnreadRest, index: number | null) => DeadLetter;
}

/** Of one batch in hand. */
const IN_HAND_BYTES_MAX = 2 * 1024 * 1024;
const SLICE_OVERHEAD_BYTES = 2048;
/** So many bad entries of a batch are dead letters of their own; further ones are gathered, so that they cost less. */
export const OWN_DEAD_LETTERS_MAX = 1000;
const DEAD_LETTERS_BYTES_MAX = 256 * 1024;

export class SlicedBatch implements Slices {
  readonly #options: SlicedBatchOptions;
  #inHandBytes = 0;
  #inHand = 0;
  #error: { readonly cause: unknown } | null = null;
  #wake: (() => void) | null = null;
  #deadLetters: DeadLetter[] = [];
  #deadLettersBytes = 0;
  /** Bad entries that share a dead letter. */
  #gathered: Buffer[] = [];
  #gatheredBytes = 0;
  /** Events with the dead letters, by reason. */
  eventsBad = 0;
  eventsDeadLettered = 0;
  eventsSpooled = 0;
  /** Why a rest could not be read; null where there was none. */
  unread: string | null = null;

  constructor(options: SlicedBatchOptions) {
    this.#options = options;
  }

  async add(entries: Uint8Array, first: number, count: number): Promise<void> {
    await this.#turn();
    const { batch, lane, room, sentShare } = this.#options;
    const bytes = entries.length + SLICE_OVERHEAD_BYTES;
    const permit = room.take(bytes, count, Math.round(entries.length * sentShare));
    const copy = new OwnCopy(entries);
    const settlement = new Settlement().expect();
    this.#inHandBytes += bytes;
    this.#inHand += 1;
    void settlement.promise
      .then(
        () => {
          // A dead letter may still be on its way to a queue that did not answer in time.
          if (settlement.eventsDeadLettered === 0) copy.free();
        },
        // So may what was refused.
        (cause: unknown) => (this.#error ??= { cause }),
      )
      .finally(() => {
        permit[Symbol.dispose]();
        this.eventsDeadLettered += settlement.eventsDeadLettered;
        this.eventsSpooled += settlement.eventsSpooled;
        this.#inHandBytes -= bytes;
        this.#inHand -= 1;
        this.#wake?.();
      });
    lane.add({ batch: { ...batch, first, count }, encoding: 'identity', bytes: copy.bytes, isLent: true, settlement });
  }

  async reject({ bytes, first, count, why, cut }: BadEntries): Promise<void> {
    this.#options.mayGoOn();
    let at = 0;
    let index = first;
    const last = first + count - 1;
    for (; index <= last && this.eventsBad < OWN_DEAD_LETTERS_MAX; index += 1) {
      // A value that is cut, or nested too deep for `valueEnd`, comes alone.
      const end = index === last ? bytes.length : valueEnd(bytes, at, bytes.length);
      await this.#addDeadLetter({ bytes: Buffer.from(bytes.subarray(at, end)), why, cut }, index);
      this.eventsBad += 1;
      at = end;
    }
    this.eventsBad += first + count - index;
    if (at < bytes.length) await this.#gather(bytes.subarray(at));
  }

  async rejectRest(rest: UnreadRest): Promise<void> {
    this.unread = rest.why;
    await this.#addDeadLetter(rest, null);
  }

  /** Resolves when all that was added is held, and what was rejected is with the dead letters. */
  async finish(): Promise<void> {
    await this.#flushGathered();
    await this.#flushDeadLetters();
    await this.settled();
    if (this.#error) throw this.#error.cause;
  }

  /** Resolves when nothing is under way any more. */
  async settled(): Promise<void> {
    while (this.#inHand > 0) await this.#next();
  }

  async #turn(): Promise<void> {
    for (;;) {
      if (this.#error) throw this.#error.cause;
      this.#options.mayGoOn();
      if (this.#inHandBytes >= IN_HAND_BYTES_MAX) await this.#next();
      // The rate is asked before the next frame: a pass that waited for it here would hold up the passes of others.
      else if (!this.#options.room.hasShare) await this.#options.room.share();
      else return;
    }
  }

  async #next(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    await promise;
    this.#wake = null;
  }

  async #gather(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; at += DEAD_LETTERS_BYTES_MAX) {
      const piece = Buffer.from(bytes.subarray(at, at + DEAD_LETTERS_BYTES_MAX));
      if (this.#gatheredBytes + piece.length > DEAD_LETTERS_BYTES_MAX) await this.#flushGathered();
      this.#gathered.push(piece);
      this.#gatheredBytes += piece.length;
    }
  }

  async #flushGathered(): Promise<void> {
    if (this.#gatheredBytes === 0) return;
    const bytes = Buffer.concat(this.#gathered);
    this.#gathered = [];
    this.#gatheredBytes = 0;
    const tooMany = `more than ${OWN_DEAD_LETTERS_MAX} values of the chunk are no entries`;
    const why = `${tooMany}; these are some of them, one after another`;
    await this.#addDeadLetter({ bytes, why, cut: false }, null);
  }

  async #addDeadLetter(bad: UnreadRest, index: number | null): Promise<void> {
    this.#deadLetters.push(this.#options.deadLetterOf(bad, index));
    this.#deadLettersBytes += bad.bytes.length + SLICE_OVERHEAD_BYTES;
    if (this.#deadLettersBytes >= DEAD_LETTERS_BYTES_MAX) await this.#flushDeadLetters();
  }

  async #flushDeadLetters(): Promise<void> {
    const deadLetters = this.#deadLetters;
    if (deadLetters.length === 0) return;
    this.#deadLetters = [];
    this.#deadLettersBytes = 0;
    await this.#options.appendDeadLetters(deadLetters);
  }
}

/** Waiting entries. Freed once stored: tens of megabytes would otherwise wait for the garbage collector. */
class OwnCopy {
  readonly bytes: Buffer<ArrayBuffer>;

  constructor(entries: Uint8Array) {
    this.bytes = Buffer.allocUnsafeSlow(entries.length);
    this.bytes.set(entries);
  }

  free(): void {
    this.bytes.buffer.transfer(0);
  }
}
