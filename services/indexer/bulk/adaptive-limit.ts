// How many bulk requests at once the store bears, found by trying: one more while answers come as fast as before, a
// tenth less when it refuses or slows down. That is AIMD, as in TCP; the figures are those of Vector's adaptive request
// concurrency, found by simulation. "As before" is a moving mean of the round trips, so the limit follows a store that
// grows, shrinks, or is used by others.
//
//   window   | answers of one mean round trip | …       looked at once at its end:
//            refused, or slower than mean + max(2.5 deviations, a quarter of the mean)  ─►  limit × 0.9
//            as fast as the mean (within 5 %), and the limit was reached                ─►  limit + 1
//
// Pure: the caller gives the time.
//
// Guarantees: 1 ≤ limit ≤ max; the limit moves once a window; without refusals it
// recovers by itself.

import assert from 'node:assert/strict';

const DECREASE_RATIO = 0.9;
/** Weight of the newest window in the moving mean. */
const EWMA_ALPHA = 0.4;
const DEVIATION_SCALE = 2.5;
/**
 * Slower by less than this share of the mean is noise: a round trip of equal requests varies by that much on an idle
 * machine.
 */
const NOISE_SHARE = 0.25;
/** The mean of a store that has become slower for good is approached from below, and never quite reached. */
const SAME_SHARE = 0.05;
/** Length of a window as long as no answer was measured. */
const WINDOW_FIRST_MS = 500;
/** A store that answers in no time must not move the limit with every answer. */
const WINDOW_MIN_MS = 10;

export interface AnsweredRequest {
  readonly nowMs: number;
  /** From the request to its whole answer; null where there was none, or where it says nothing (refused at once). */
  readonly roundTripMs: number | null;
  /** The store said that it has too much to do, or gave no answer. */
  readonly overloaded: boolean;
}

export class AdaptiveLimit {
  readonly #max: number;
  #limit: number;
  /** Moving mean and variance of the windows' means; null before the first. */
  #past: { mean: number; variance: number } | null = null;
  #windowEndMs = Number.NEGATIVE_INFINITY;
  #sumMs = 0;
  #count = 0;
  #overloaded = false;
  #reached = false;

  constructor(max: number, first: number) {
    assert(first >= 1 && max >= 1);
    this.#max = max;
    this.#limit = Math.min(first, max);
  }

  get limit(): number {
    return this.#limit;
  }

  /** As many requests as the limit allows are under way: only then the answers say whether more would do. */
  reached(): void {
    this.#reached = true;
  }

  answered({ nowMs, roundTripMs, overloaded }: AnsweredRequest): void {
    if (overloaded) this.#overloaded = true;
    if (roundTripMs !== null) {
      this.#sumMs += roundTripMs;
      this.#count++;
    }
    // The first window starts with the first answer, and a first refusal is heard at once.
    if (this.#windowEndMs === Number.NEGATIVE_INFINITY && !overloaded) this.#startWindow(nowMs);
    if (nowMs < this.#windowEndMs) return;
    const meanMs = this.#count > 0 ? this.#sumMs / this.#count : null;
    this.#adjust(meanMs);
    if (meanMs !== null) this.#learn(meanMs);
    this.#startWindow(nowMs);
  }

  #adjust(meanMs: number | null): void {
    const past = this.#past;
    if (this.#overloaded || (this.#reached && past !== null && meanMs !== null && meanMs > slowMs(past))) {
      this.#limit = Math.max(1, Math.floor(this.#limit * DECREASE_RATIO));
    } else if (this.#reached && meanMs !== null && meanMs <= (1 + SAME_SHARE) * (past?.mean ?? Infinity)) {
      this.#limit = Math.min(this.#max, this.#limit + 1);
    }
  }

  #learn(meanMs: number): void {
    const past = this.#past;
    if (past === null) {
      this.#past = { mean: meanMs, variance: 0 };
      return;
    }
    const difference = meanMs - past.mean;
    const step = EWMA_ALPHA * difference;
    past.mean += step;
    past.variance = (1 - EWMA_ALPHA) * (past.variance + difference * step);
  }

  #startWindow(nowMs: number): void {
    this.#windowEndMs = nowMs + Math.max(WINDOW_MIN_MS, this.#past?.mean ?? WINDOW_FIRST_MS);
    this.#sumMs = 0;
    this.#count = 0;
    this.#overloaded = false;
    this.#reached = false;
  }
}

function slowMs({ mean, variance }: { mean: number; variance: number }): number {
  return mean + Math.max(DEVIATION_SCALE * Math.sqrt(variance), NOISE_SHARE * mean);
}
