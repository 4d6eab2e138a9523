// Time as a parameter: whoever needs it is given a Clock, so that a simulation can drive years through it in a second.
// `epochMs` may jump (NTP, an operator); anything that measures a duration uses `monotonicMs`.

import { setTimeout as delay } from 'node:timers/promises';

export interface Clock {
  /** Milliseconds since the Unix epoch, as the machine believes them to be. */
  epochMs(): number;
  /** Milliseconds from an arbitrary origin; never goes back. */
  monotonicMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason if it is aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /**
   * Calls `action` once after `ms` unless disposed of before; at 0 in this turn of the event loop. Does not keep the
   * process alive.
   */
  timer(ms: number, action: () => void): Disposable;
}

export const systemClock: Clock = {
  epochMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) => delay(ms, undefined, signal ? { signal } : {}),
  timer(ms, action) {
    if (ms <= 0) {
      // At the end of this turn of the event loop; the least that setTimeout can do is a millisecond.
      const immediate = setImmediate(action);
      return { [Symbol.dispose]: () => clearImmediate(immediate) };
    }
    const handle = setTimeout(action, ms);
    handle.unref();
    return { [Symbol.dispose]: () => clearTimeout(handle) };
  },
};
