// A spell is the time during which every append goes through the spool. The observer hears why it started, and at its
// end how many events went through. An append that comes when the spool is almost empty waits for the end.

import type { Clock } from '#shared/clock.ts';
import type { SpoolObserver } from './local/spool-observer.ts';

/** How long an append may wait for a spool that is almost empty. Under load it would never be quite empty otherwise. */
const PARK_MS = 200;

export interface SpoolSpellOptions {
  readonly clock: Clock;
  readonly observer: SpoolObserver;
  /** Whether every append goes through the spool now. */
  isSpooling(): boolean;
  /** The spool is empty again; called before the observer hears of it. */
  ended(): void;
}

export class SpoolSpell {
  readonly #options: SpoolSpellOptions;
  #current: { readonly sinceMs: number; readonly reason: string; events: number; isReported: boolean } | null = null;
  readonly #parked = new Set<() => void>();

  constructor(options: SpoolSpellOptions) {
    this.#options = options;
  }

  get hasStarted(): boolean {
    return this.#current !== null;
  }

  /** `events`: what the spool holds already. */
  start(reason: string, events: number): void {
    this.#current = { sinceMs: this.#options.clock.monotonicMs(), reason, events, isReported: false };
  }

  /** Not before the spool holds something: one that can't be written would be entered and left again and again. */
  report(): void {
    if (this.#current === null || this.#current.isReported) return;
    this.#current.isReported = true;
    this.#options.observer.entered(this.#current.reason);
  }

  /** So many events go through the spool. */
  add(events: number): void {
    if (this.#current) this.#current.events += events;
  }

  /** To be called whenever it may be over. */
  endIfOver(): void {
    if (this.#current === null || this.#options.isSpooling()) return;
    const { sinceMs, events, isReported } = this.#current;
    this.#current = null;
    this.#options.ended();
    for (const goOn of this.#parked) goOn();
    if (isReported) this.#options.observer.left({ events, ms: this.#options.clock.monotonicMs() - sinceMs });
  }

  /** Resolves when the spool is empty, or when that takes too long. */
  park(): Promise<void> {
    return new Promise((resolve) => {
      const goOn = (): void => {
        limit[Symbol.dispose]();
        this.#parked.delete(goOn);
        resolve();
      };
      const limit = this.#options.clock.timer(PARK_MS, goOn);
      this.#parked.add(goOn);
    });
  }
}
