// What one request has of what large bodies share: its sender's turn, and its part of their memory.
//
//   turn of the sender → memory → what was made of it
//
// In this order only, so that nobody waits for who waits for him. While it has memory it waits for nothing that a store
// or a queue must give.

import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import type { Permit } from '#shared/byte-budget.ts';
import type { BodyReader } from '../body/body-reader.ts';

export interface LargeShareOptions {
  readonly bodies: BodyReader;
  readonly request: IncomingMessage;
  /** One large body of a tenant, or of an address, is opened and converted at a time. */
  readonly whose: string;
  /** Whose share of the memory it uses. */
  readonly sender: string;
}

export class LargeShare implements Disposable {
  readonly #options: LargeShareOptions;
  readonly #made = new DisposableStack();
  #turn: Disposable | null = null;
  #memory: Permit | null = null;

  constructor(options: LargeShareOptions) {
    this.#options = options;
  }

  /** Rejects with intake_full, or request_malformed where the sender is gone. */
  async takeTurn(): Promise<void> {
    const { bodies, whose, request } = this.#options;
    this.#turn ??= await bodies.largeTurn(whose, request);
  }

  /** Its turn, and memory for so many bytes, unless it has them. Rejects as `takeTurn` does. */
  async take(bytes: number): Promise<void> {
    const { bodies, sender, request } = this.#options;
    await this.takeTurn();
    if (this.#memory && this.#memory.bytes >= bytes) return;
    // Nobody waits for memory who has some.
    this.#giveBack();
    this.#memory = await bodies.acquireLarge(bytes, sender, request);
  }

  /** What a body had in order to be opened. */
  adopt(memory: Permit): void {
    assert(this.#memory === null, 'a body is opened once');
    this.#memory = memory;
  }

  /** It is converted: the next one of the sender may have its turn. What was made of it is counted until `settled`. */
  converted(madeBytes: number): void {
    this.#endTurn();
    this.holdMade(madeBytes);
  }

  /** The same, where the next one of the sender waits until it is stored. */
  holdMade(madeBytes: number): void {
    const { bodies, sender } = this.#options;
    this.#giveBack();
    this.#made.use(bodies.takeMade(madeBytes, sender));
  }

  /** Is given back with it. */
  hold(held: Disposable): void {
    this.#made.use(held);
  }

  /** What was made of it is stored, or refused. */
  settled(): void {
    this.#made.dispose();
  }

  #endTurn(): void {
    this.#turn?.[Symbol.dispose]();
    this.#turn = null;
  }

  #giveBack(): void {
    this.#memory?.[Symbol.dispose]();
    this.#memory = null;
  }

  [Symbol.dispose](): void {
    this.#endTurn();
    this.#giveBack();
    this.#made.dispose();
  }
}
