// How many frames are taken in slices at once, of all connections of a process. A pass has a decoder with its window,
// and processor time that its sender hardly paid for. Those beyond the bound wait, and nothing more is read of their
// senders.
//
//   turn → memory of the decoder → memory of a large entry
//
// They are taken in this order only, so that nobody waits for who waits for him.
//
// Guarantees: never more than `PASSES_MAX` at once; what a pass may take is taken from the budget of what bytes grow
// to, before it is taken; turns are fair among senders; whoever is gone does not wait.

import assert from 'node:assert/strict';
import type { ByteBudget, Permit } from '#shared/byte-budget.ts';
import type { Encoding } from '#shared/record/record.ts';
import { FairSlots } from '../turns/fair-slots.ts';

/** Node's thread pool has four threads: two are left for those who send little. */
export const PASSES_MAX = 2;
const MIB = 1024 * 1024;
/** Windows (of zstd-frames.ts, and 32 KiB), tables, and slices. */
const PASS_BYTES: Readonly<Record<Encoding, number>> = { identity: MIB, gzip: MIB, zstd: 9 * MIB };
/** What all passes may take, beside their large entries. */
export const PASSES_BYTES_MAX = PASSES_MAX * PASS_BYTES.zstd;

export interface SlicePassesOptions {
  readonly unpacking: ByteBudget;
  /**
   * Of the budget, for decoders; the rest is enough for the largest thing that anybody asks for, where nothing is for
   * `large`.
   */
  readonly bytesMax: number;
  /** For what would leave too little of the budget to those who share it; absent: it takes that, too. */
  readonly large?: ByteBudget;
}

/**
 * Of the budget beside the decoders a pass has so much at most, where there is another for what is large: all passes
 * have a half.
 */
const PASS_SHARE = 1 / (2 * PASSES_MAX);

export class SlicePasses {
  readonly #unpacking: ByteBudget;
  readonly #bytesMax: number;
  readonly #large: ByteBudget | null;
  readonly #turns = new FairSlots(PASSES_MAX);

  constructor({ unpacking, bytesMax, large }: SlicePassesOptions) {
    assert(bytesMax < unpacking.bytesMax, 'something is left for what is not a decoder');
    this.#unpacking = unpacking;
    this.#bytesMax = bytesMax;
    this.#large = large ?? null;
  }

  get running(): number {
    return this.#turns.running;
  }

  get waiting(): number {
    return this.#turns.waiting;
  }

  /**
   * Resolves when a pass may begin; it has ended when what it resolves to is disposed of. Rejects with the signal's
   * reason.
   */
  async enter(sender: string, encoding: Encoding, signal: AbortSignal): Promise<Disposable> {
    using taken = new DisposableStack();
    taken.use(await this.#turns.enter(sender, signal));
    taken.use(await this.#unpacking.acquire(this.#decoderBytes(encoding), signal));
    return taken.move();
  }

  /** Memory for what a pass must hold at once. `signal` null: it is waited for whoever is gone. */
  hold(bytes: number, signal: AbortSignal | null): Promise<Permit> {
    // More would never fit beside the decoders of those who ask for it.
    const bytesMax = this.#unpacking.bytesMax - this.#bytesMax;
    const large = this.#large;
    if (large && bytes > PASS_SHARE * bytesMax) {
      return large.acquire(Math.min(bytes, large.bytesMax), signal ?? undefined);
    }
    return this.#unpacking.acquire(Math.min(bytes, bytesMax), signal ?? undefined);
  }

  #decoderBytes(encoding: Encoding): number {
    return Math.min(PASS_BYTES[encoding], Math.floor(this.#bytesMax / PASSES_MAX));
  }
}
