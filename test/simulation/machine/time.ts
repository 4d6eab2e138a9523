// The one time that all of the simulation shares. What is to happen lies in a heap, ordered by its moment and then by
// when it was asked for; a step takes the first and lets everything end that it set off, before the next begins. So a
// seed gives one run.

import { setImmediate as turn } from 'node:timers/promises';

interface Planned {
  readonly atMs: number;
  readonly order: number;
  action: (() => void) | null;
}

/** Turns of the event loop in which the code under test gets on with what it put off to a next turn. */
const TURNS = 3;

export class SimTime {
  nowMs = 0;
  readonly #heap: Planned[] = [];
  #order = 0;

  /** Once, `ms` from now, unless disposed of before. */
  after(ms: number, action: () => void): Disposable {
    const planned: Planned = { atMs: this.nowMs + Math.max(0, ms), order: this.#order++, action };
    this.#push(planned);
    return {
      [Symbol.dispose]() {
        planned.action = null;
      },
    };
  }

  /** Goes on to what comes next; false where nothing does before `limitMs`. */
  async step(limitMs: number): Promise<boolean> {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.atMs > limitMs) return false;
      this.#pop();
      const { action } = next;
      if (action === null) continue;
      this.nowMs = next.atMs;
      action();
      for (let i = 0; i < TURNS; i++) await turn();
      return true;
    }
  }

  #push(planned: Planned): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(planned);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const other = heap[parent];
      if (other === undefined || !isBefore(planned, other)) break;
      heap[at] = other;
      at = parent;
    }
    heap[at] = planned;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      let least = heap[child];
      if (least === undefined) break;
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, least)) {
        least = right;
        child++;
      }
      if (!isBefore(least, last)) break;
      heap[at] = least;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Planned, b: Planned): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
