// The bytes that a body, or what is made of it, holds. They count among all bodies, and among the small or the large
// bodies of their sender, so that senders can share the room for either kind.

import type { ByteBudget, Permit } from '#shared/byte-budget.ts';
import type { DynamicShares } from '../turns/dynamic-shares.ts';
import { LARGE_BODY_BYTES } from '../turns/large-body-slots.ts';

export interface BodyPermitOptions {
  readonly budget: ByteBudget;
  /** What senders hold. */
  readonly shares: { readonly small: DynamicShares; readonly large: DynamicShares };
  /** Null: of no sender. */
  readonly sender: string | null;
  /** What it says it will have, where it says so. */
  readonly announced?: number;
}

export class BodyPermit implements Disposable {
  readonly #options: BodyPermitOptions;
  readonly #permit: Permit;
  #shares: DynamicShares;

  constructor(bytes: number, options: BodyPermitOptions) {
    this.#options = options;
    const { small, large } = options.shares;
    this.#shares = (options.announced ?? 0) <= LARGE_BODY_BYTES ? small : large;
    this.#permit = options.budget.take(0);
    this.grow(bytes);
  }

  grow(bytes: number): void {
    const { sender, shares } = this.#options;
    const before = this.#permit.bytes;
    this.#permit.grow(bytes);
    if (sender === null) return;
    if (before + bytes > LARGE_BODY_BYTES && this.#shares !== shares.large) {
      this.#shares.give(sender, before);
      this.#shares = shares.large;
      this.#shares.take(sender, before + bytes);
    } else this.#shares.take(sender, bytes);
  }

  [Symbol.dispose](): void {
    const { sender } = this.#options;
    if (sender !== null) this.#shares.give(sender, this.#permit.bytes);
    this.#permit[Symbol.dispose]();
  }
}
