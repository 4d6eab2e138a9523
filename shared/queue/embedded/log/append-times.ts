// The time that a record gets when it is appended: that of the wall clock, but never before the record before it, so
// that a time can be found by bisection. A small step back of the clock is waited for.
//
// A clock that was ahead by a year would be waited for as long: until then all records would have the same time, from a
// year to come. So a clock that stays behind is believed after a while. Where times begin anew is noted, and each run
// between two notes is in order:
//
//   offset   0 ───────────── 700 ──────────── 900 ──────────►
//   time     10:00 … 10:05 … next year, again │ 10:20 … 10:21 …
//
// A clock that begins in 1970 at a start is set within minutes, and is not believed until then.

import type { Moment } from '#shared/sqlite/passed-time.ts';

const BELIEVED_AFTER_MS = 600_000;

export class AppendTimes {
  #lastMs = 0;
  /** When the clock was seen to be behind for the first time, by the clock that never jumps. */
  #behindSinceMs: number | null = null;

  /** The time of the last record that is there; 0 where there is none. */
  reset(lastMs: number): void {
    this.#lastMs = lastMs;
  }

  /** What the clocks show, also while nothing is appended. */
  see({ epochMs, monotonicMs }: Moment): void {
    if (Math.floor(epochMs) >= this.#lastMs) this.#behindSinceMs = null;
    else this.#behindSinceMs ??= monotonicMs;
  }

  /** What time to write. `isAnew`: it is before that of the last record. */
  next(now: Moment): { readonly timeMs: number; readonly isAnew: boolean } {
    this.see(now);
    const isAnew = this.#behindSinceMs !== null && now.monotonicMs - this.#behindSinceMs >= BELIEVED_AFTER_MS;
    if (isAnew || this.#behindSinceMs === null) this.#lastMs = Math.floor(now.epochMs);
    return { timeMs: this.#lastMs, isAnew };
  }
}
