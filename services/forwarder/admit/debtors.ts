// Buckets of those that took something lately, by name: who has paid it back may be forgotten.
//
// Guarantees: at most `max` are remembered; those that have most left are forgotten before the others, a tenth of all
// at a time, so that a new name costs a constant time on average.

import { TokenBucket } from '../intake/token-bucket.ts';

const FORGOTTEN_PART = 10;

export interface DebtorsOptions {
  readonly atOnce: number;
  readonly perSecond: number;
  readonly max: number;
}

export class Debtors {
  readonly #options: DebtorsOptions;
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(options: DebtorsOptions) {
    this.#options = options;
  }

  take(name: string, amount: number, nowMs: number): void {
    const { atOnce, perSecond, max } = this.#options;
    let bucket = this.#buckets.get(name);
    if (bucket === undefined) {
      if (this.#buckets.size >= max) this.#forget(nowMs);
      bucket = new TokenBucket(perSecond, nowMs, atOnce / perSecond);
      this.#buckets.set(name, bucket);
    }
    bucket.take(amount, nowMs);
  }

  /** Milliseconds until more may be taken; 0 where it may be now. */
  waitMs(name: string, nowMs: number): number {
    return this.#buckets.get(name)?.waitMs(nowMs) ?? 0;
  }

  /** Whether it owes more than so much. */
  owes(name: string, amount: number, nowMs: number): boolean {
    return this.#buckets.get(name)?.has(-amount, nowMs) === false;
  }

  #forget(nowMs: number): void {
    const left = [...this.#buckets].map(([name, bucket]) => ({ name, tokens: bucket.tokens(nowMs) }));
    left.sort((a, b) => b.tokens - a.tokens);
    const count = Math.ceil(left.length / FORGOTTEN_PART);
    for (const { name } of left.slice(0, count)) this.#buckets.delete(name);
  }
}
