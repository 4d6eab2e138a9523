// Turns for others in what goes through many names: after so many of them, or so long.

import { setImmediate as turn } from 'node:timers/promises';

const NAMES_AT_ONCE = 1024;
/** A long name takes as much time as its pattern has ways. */
const STEP_MS = 5;

/** Names that are listed already take no turn by themselves. */
export class Steps {
  #names = 0;
  #sinceMs = performance.now();

  /** Asked for each name. */
  isOver(): boolean {
    this.#names += 1;
    return this.#names >= NAMES_AT_ONCE || performance.now() - this.#sinceMs >= STEP_MS;
  }

  async next(): Promise<void> {
    await turn();
    this.#names = 0;
    this.#sinceMs = performance.now();
  }
}
