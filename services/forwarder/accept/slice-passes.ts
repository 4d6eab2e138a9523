// How many frames are taken in slices at once, of all connections of a process. A pass has a decoder with its window, and processor time
// that its sender hardly paid for. Those beyond the bound wait, and nothing more is read of their senders.
//
//   turn → memory of the decoder → memory of a large entry        in this order only, so that nobody waits for who waits for him
//
// Guarantees: never more than `PASSES_MAX` at once; what a pass may take is taken from the budget of what bytes grow to, before it is taken;
// of those who wait, the sender goes first whose last turn is longest ago, a new one as if it had had one when it came;
// so nobody is passed by twice by the same sender, nor at all by newcomers; whoever is gone does not wait.

import assert from 'node:assert/strict';
import type { ByteBudget, Permit } from '#shared/byte-budget.ts';
import type { Encoding } from '#shared/record/record.ts';

/** Node's thread pool has four threads: two are left for those who send little. */
export const PASSES_MAX = 2;
const MIB = 1024 * 1024;
/** Windows (of zstd-frames.ts, and 32 KiB), tables, and slices. */
const PASS_BYTES: Readonly<Record<Encoding, number>> = { identity: MIB, gzip: MIB, zstd: 9 * MIB };
/** What all passes may take, beside their large entries. */
export const PASSES_BYTES_MAX = PASSES_MAX * PASS_BYTES.zstd;
/** Senders whose last turn is remembered. */
const SENDERS_MAX = 1024;

export interface SlicePassesOptions {
  readonly unpacking: ByteBudget;
  /** Of the budget, for decoders; the rest is enough for the largest thing that anybody asks for. */
  readonly bytesMax: number;
}

interface Waiter {
  readonly sender: string;
  /** Number of its sender's last turn when it came; of a new sender, that of the last turn of anybody. */
  readonly since: number;
  readonly grant: () => void;
}

export class SlicePasses {
  readonly #unpacking: ByteBudget;
  readonly #bytesMax: number;
  readonly #waiters: Waiter[] = [];
  /** Sender → number of its last turn. */
  readonly #turns = new Map<string, number>();
  #turn = 0;
  #running = 0;

  constructor({ unpacking, bytesMax }: SlicePassesOptions) {
    assert(bytesMax < unpacking.bytesMax, 'something is left for what is not a decoder');
    this.#unpacking = unpacking;
    this.#bytesMax = bytesMax;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiters.length;
  }

  /** Resolves when a pass may begin; it has ended when what it resolves to is disposed of. Rejects with the signal's reason. */
  async enter(sender: string, encoding: Encoding, signal: AbortSignal): Promise<Disposable> {
    await this.#myTurn(sender, signal);
    try {
      const permit = await this.#unpacking.acquire(this.#decoderBytes(encoding), signal);
      return { [Symbol.dispose]: () => this.#leave(permit) };
    } catch (error) {
      this.#leave(null);
      throw error;
    }
  }

  /** Memory for what a pass must hold at once. `signal` null: it is waited for whoever is gone. */
  hold(bytes: number, signal: AbortSignal | null): Promise<Permit> {
    // More would never fit beside the decoders of those who ask for it.
    const bytesMax = this.#unpacking.bytesMax - this.#bytesMax;
    return this.#unpacking.acquire(Math.min(bytes, bytesMax), signal ?? undefined);
  }

  #decoderBytes(encoding: Encoding): number {
    return Math.min(PASS_BYTES[encoding], Math.floor(this.#bytesMax / PASSES_MAX));
  }

  #myTurn(sender: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#running < PASSES_MAX) {
      this.#begin(sender);
      return Promise.resolve();
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter = { sender, since: this.#turns.get(sender) ?? this.#turn, grant: resolve };
    this.#waiters.push(waiter);
    const leave = (): void => {
      const position = this.#waiters.indexOf(waiter);
      if (position < 0) return;
      this.#waiters.splice(position, 1);
      reject(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason)));
    };
    signal.addEventListener('abort', leave, { once: true });
    return promise.finally(() => signal.removeEventListener('abort', leave));
  }

  #begin(sender: string): void {
    this.#running += 1;
    this.#turn += 1;
    this.#turns.delete(sender);
    this.#turns.set(sender, this.#turn);
    const [oldest] = this.#turns.keys();
    if (this.#turns.size > SENDERS_MAX && oldest !== undefined) this.#turns.delete(oldest);
  }

  #leave(permit: Permit | null): void {
    permit?.[Symbol.dispose]();
    this.#running -= 1;
    assert(this.#running >= 0 && this.#running < PASSES_MAX);
    const next = this.#takeNext();
    if (!next) return;
    this.#begin(next.sender);
    next.grant();
  }

  #takeNext(): Waiter | undefined {
    let chosen = 0;
    let oldest = Infinity;
    for (const [i, { sender, since }] of this.#waiters.entries()) {
      // It may have had one since, by another connection; or be forgotten.
      const turn = Math.max(since, this.#turns.get(sender) ?? 0);
      if (turn >= oldest) continue;
      oldest = turn;
      chosen = i;
    }
    return this.#waiters.splice(chosen, 1)[0];
  }
}
