// One direction of a connection: what is put in comes out in the same order, each after its delay.

import type { SimTime } from './time.ts';

/** Runs an action where the wire ends, `ms` from now: in a process, or in the world outside of them. */
type Deliver = (ms: number, action: () => void) => void;

export class Wire {
  readonly #time: SimTime;
  readonly #deliver: Deliver;
  #lastMs = 0;

  constructor(time: SimTime, deliver: Deliver) {
    this.#time = time;
    this.#deliver = deliver;
  }

  send(ms: number, action: () => void): void {
    this.#lastMs = Math.max(this.#lastMs, this.#time.nowMs + ms);
    this.#deliver(this.#lastMs - this.#time.nowMs, action);
  }
}
