// Records on their way to the pipeline's loop, in their order: a few are opened ahead of the one in work, in pool
// threads.
//
// Guarantees: values that are small in the queue and huge here are opened one by one; what is given up gives its bytes
// back, opened or not.

import type { ByteBudget, Permit } from '#shared/byte-budget.ts';
import { openedBytes } from '../unpack/bytes-in-hand.ts';
import type { Assignment, RecordInHand } from '../commit/in-hand.ts';
import { type Unpacked, type UnpackOptions, type Unreadable, unpack } from '../unpack/unpack.ts';

/** Enough to keep a pool thread busy. */
const OPEN_AHEAD = 2;

export interface OpenAheadOptions {
  readonly budget: ByteBudget;
  readonly unpacking: UnpackOptions;
}

interface Opening {
  readonly record: RecordInHand;
  readonly opened: Promise<Opened>;
}

interface Opened {
  readonly unpacked: Unpacked | Unreadable;
  /** Of what the uncompressed value takes. */
  readonly permit: Permit;
}

export class OpenAhead {
  readonly #options: OpenAheadOptions;
  readonly #pending: RecordInHand[] = [];
  readonly #opening: Opening[] = [];
  /** Of records that were opened and have not gone on. */
  #openedBytes = 0;

  constructor(options: OpenAheadOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#pending.length === 0 && this.#opening.length === 0;
  }

  add(record: RecordInHand): void {
    this.#pending.push(record);
  }

  /** Hands the next record to `work`, opened, while those after it are opened. */
  async next(work: (record: RecordInHand, opened: Unpacked | Unreadable) => Promise<void>): Promise<void> {
    this.#fill();
    const next = this.#opening.shift();
    if (!next) return;
    const { unpacked, permit } = await next.opened;
    this.#fill();
    await work(next.record, unpacked);
    this.#close(permit);
  }

  /** What was fetched under the assignment goes no further; what is being opened is left to whoever takes it. */
  lost(assignment: Assignment): void {
    const kept = this.#pending.filter((record) => record.assignment !== assignment);
    for (const record of this.#pending) if (record.assignment === assignment) record.giveUp();
    this.#pending.splice(0, Infinity, ...kept);
  }

  /** Gives up all. */
  async stop(): Promise<void> {
    for (const record of this.#pending.splice(0)) record.giveUp();
    for (const { record, opened } of this.#opening.splice(0)) {
      this.#close((await opened).permit);
      record.giveUp();
    }
  }

  #fill(): void {
    while (this.#opening.length < OPEN_AHEAD) {
      if (this.#opening.length > 0 && this.#openedBytes >= this.#options.budget.bytesMax) return;
      const record = this.#pending.shift();
      if (!record) return;
      if (record.isBehindHold) record.giveUp();
      else this.#opening.push({ record, opened: this.#open(record) });
    }
  }

  async #open({ fetched, poison }: RecordInHand): Promise<Opened> {
    const { budget, unpacking } = this.#options;
    const unpacked = poison ?? (await unpack(fetched, unpacking));
    const permit = budget.take(unpacked.kind === 'unpacked' ? openedBytes(unpacked, fetched) : 0);
    this.#openedBytes += permit.bytes;
    return { unpacked, permit };
  }

  #close(permit: Permit): void {
    this.#openedBytes -= permit.bytes;
    permit[Symbol.dispose]();
  }
}
