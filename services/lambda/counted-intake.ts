// The intake of a function, with a count of the events that it took: nobody can scrape a function's metrics.

import type { Chunk, Intake, Undecodable } from '#forwarder/intake/chunk.ts';

export class CountedIntake implements Intake {
  readonly #intake: Intake;
  #events = 0;

  constructor(intake: Intake) {
    this.#intake = intake;
  }

  /** Events accepted since the last call of this. */
  take(): number {
    const events = this.#events;
    this.#events = 0;
    return events;
  }

  async accept(chunk: Chunk): Promise<void> {
    await this.#intake.accept(chunk);
    this.#events += chunk.count;
  }

  deadLetter(undecodable: Undecodable): Promise<void> {
    return this.#intake.deadLetter(undecodable);
  }

  get unreadyReason(): string | null {
    return this.#intake.unreadyReason;
  }

  get hasRoom(): boolean {
    return this.#intake.hasRoom;
  }

  room(): Promise<void> {
    return this.#intake.room();
  }
}
