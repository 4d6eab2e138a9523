// An intake for tests of the inputs: it keeps the chunks, and holds, refuses or stands still as it is told.

import type { Chunk, Intake, Undecodable } from '#forwarder/intake/chunk.ts';

export class FakeIntake implements Intake {
  readonly chunks: Chunk[] = [];
  readonly deadLettered: Undecodable[] = [];
  unreadyReason: string | null = null;
  /** What `accept` rejects with. */
  refusal: Error | null = null;
  /** As `refusal`, chunk by chunk. */
  refuse: (chunk: Chunk) => Error | null = () => this.refusal;
  #room = Promise.withResolvers<void>();
  #full = false;
  #gate: PromiseWithResolvers<void> | null = null;
  #arrived: (() => void)[] = [];

  get hasRoom(): boolean {
    return !this.#full;
  }

  room(): Promise<void> {
    return this.#full ? this.#room.promise : Promise.resolve();
  }

  fill(): void {
    this.#full = true;
    this.#room = Promise.withResolvers<void>();
  }

  drain(): void {
    this.#full = false;
    this.#room.resolve();
  }

  /** From now on nothing is held until `release`. */
  hold(): void {
    this.#gate = Promise.withResolvers<void>();
  }

  release(): void {
    this.#gate?.resolve();
    this.#gate = null;
  }

  /** Resolves when `accept` has been called `count` times in all. */
  async arrived(count: number): Promise<void> {
    while (this.chunks.length < count) await new Promise<void>((resolve) => this.#arrived.push(resolve));
  }

  async accept(chunk: Chunk): Promise<void> {
    this.chunks.push(chunk);
    for (const wake of this.#arrived.splice(0)) wake();
    await this.#gate?.promise;
    const refusal = this.refuse(chunk);
    if (refusal) throw refusal;
  }

  async deadLetter(undecodable: Undecodable): Promise<void> {
    this.deadLettered.push(undecodable);
    await this.#gate?.promise;
    if (this.refusal) throw this.refusal;
  }
}
