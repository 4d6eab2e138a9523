// A process of the simulation: a clock that drifts and jumps, a life that ends from one moment to the next, and stalls
// in which nothing of it moves while the world goes on (a stopped process, a long collection of garbage). Everything
// that reaches the code of a process, from timers and from the wire, comes through `later`, so that nothing runs in the
// dead.

import type { Clock } from '#shared/clock.ts';
import type { SimTime } from './time.ts';

/** 2026-01-02 03:04:05 UTC. */
const ORIGIN_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

/** The wall clock of a machine; it outlives the processes. */
export class WallClock {
  offsetMs: number;
  /** Gains or loses so much of the time that passes. */
  readonly drift: number;

  constructor(offsetMs: number, drift: number) {
    this.offsetMs = offsetMs;
    this.drift = drift;
  }

  epochMs(nowMs: number): number {
    return Math.floor(ORIGIN_MS + this.offsetMs + nowMs * (1 + this.drift));
  }
}

export class SimProcess implements Clock {
  readonly name: string;
  readonly #time: SimTime;
  readonly #wall: WallClock;
  readonly #ended = Promise.withResolvers<void>();
  /** When it was killed, or ended. */
  endedMs = Infinity;
  #isAlive = true;
  #isStalled = false;
  #held: (() => void)[] = [];

  constructor(name: string, time: SimTime, wall: WallClock) {
    this.name = name;
    this.#time = time;
    this.#wall = wall;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get isStalled(): boolean {
    return this.#isStalled;
  }

  /** When it was killed. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** From here on nothing of it happens any more. */
  kill(): void {
    if (this.#isAlive) this.endedMs = this.#time.nowMs;
    this.#isAlive = false;
    this.#held = [];
    this.#ended.resolve();
  }

  stall(ms: number): void {
    this.#isStalled = true;
    this.#time.after(ms, () => {
      this.#isStalled = false;
      for (const action of this.#held.splice(0)) this.#run(action);
    });
  }

  /** In this process, `ms` from now, or when its stall is over. */
  later(ms: number, action: () => void): Disposable {
    let isDue = true;
    const planned = this.#time.after(ms, () => this.#run(() => isDue && action()));
    return {
      [Symbol.dispose]() {
        isDue = false;
        planned[Symbol.dispose]();
      },
    };
  }

  epochMs(): number {
    return this.#wall.epochMs(this.#time.nowMs);
  }

  monotonicMs(): number {
    return this.#time.nowMs;
  }

  timer(ms: number, action: () => void): Disposable {
    return this.later(ms, action);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const aborted = (): void => {
      timer[Symbol.dispose]();
      reject(signal?.reason);
    };
    const timer = this.later(ms, () => {
      signal?.removeEventListener('abort', aborted);
      resolve();
    });
    signal?.addEventListener('abort', aborted, { once: true });
    return promise;
  }

  #run(action: () => void): void {
    if (!this.#isAlive) return;
    if (this.#isStalled) this.#held.push(action);
    else action();
  }
}
