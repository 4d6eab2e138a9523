// What a body, or what is made of it, holds: counted among all bodies, and as its sender's as long as it is a small one. So what is kept
// for small bodies can be shared among senders.

import type { ByteBudget, Permit } from '#shared/byte-budget.ts';
import type { DynamicShares } from './dynamic-shares.ts';
import { LARGE_BODY_BYTES } from './large-turns.ts';

export interface BodyPermitOptions {
  readonly budget: ByteBudget;
  readonly shares: DynamicShares;
  /** Null: nobody's. */
  readonly sender: string | null;
  /** What it says it will have, where it says so. */
  readonly announced?: number;
}

export class BodyPermit implements Disposable {
  readonly #options: BodyPermitOptions;
  readonly #permit: Permit;
  /** Counted as the sender's. */
  #small = 0;
  #isSmall: boolean;

  constructor(bytes: number, options: BodyPermitOptions) {
    this.#options = options;
    this.#isSmall = options.sender !== null && (options.announced ?? 0) <= LARGE_BODY_BYTES;
    this.#permit = options.budget.take(0);
    this.grow(bytes);
  }

  grow(bytes: number): void {
    this.#permit.grow(bytes);
    if (!this.#isSmall) return;
    if (this.#permit.bytes > LARGE_BODY_BYTES) return this.#isLarge();
    this.#small += bytes;
    this.#options.shares.take(this.#options.sender ?? '', bytes);
  }

  [Symbol.dispose](): void {
    this.#isLarge();
    this.#permit[Symbol.dispose]();
  }

  #isLarge(): void {
    this.#isSmall = false;
    this.#options.shares.give(this.#options.sender ?? '', this.#small);
    this.#small = 0;
  }
}
