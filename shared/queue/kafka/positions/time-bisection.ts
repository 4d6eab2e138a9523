// Finds when the record at an offset was appended, where all that can be asked is "which is the first record at or
// after this time?" (ListOffsets), for many partitions at once: every round asks once for all of them, each with a time
// of its own. Pure: the caller asks.
//
//   time      ├── begin ────────── at most here ──┤ … now
//   offset    …… ≤ wanted          > wanted
//
// The first round asks for the beginning of time, whose answer tells the oldest record; each round after halves what is
// left, in ratio of the age: fine for young records, coarse for old ones. A record that is met exactly ends it at once.

/** The first record at or after a time; null where there is none. */
export type Found = { readonly offset: number; readonly timestampMs: number } | null;

/** What is good enough: a tenth of a second, or half a percent of the age. */
const TOLERANCE_MS = 100;
const TOLERANCE_SHARE = 0.005;

export class TimeBisection {
  readonly #wanted: number;
  readonly #nowMs: number;
  /** The record is at this time or later; null before the first answer. */
  #fromMs: number | null = null;
  /** The record is at this time or earlier. */
  #untilMs: number;

  /** `wanted`: the offset, of a record that is there. */
  constructor(wanted: number, nowMs: number) {
    this.#wanted = wanted;
    this.#nowMs = nowMs;
    this.#untilMs = nowMs;
  }

  /** The time to ask for next; null when the time of the record is known. */
  get askMs(): number | null {
    if (this.#fromMs === null) return 0;
    const ageMax = this.#nowMs - this.#fromMs;
    const ageMin = this.#nowMs - this.#untilMs;
    if (ageMax - ageMin <= Math.max(TOLERANCE_MS, ageMin * TOLERANCE_SHARE)) return null;
    const age = Math.sqrt(Math.max(ageMin, TOLERANCE_MS) * ageMax);
    // Strictly between, so that every answer tells something.
    return Math.min(Math.max(Math.round(this.#nowMs - age), this.#fromMs + 1), this.#untilMs);
  }

  /**
   * When the record was appended, ms since the epoch; of what is left the earliest, so that a lag is not told too
   * small.
   */
  get timeMs(): number {
    return this.#fromMs ?? 0;
  }

  /** Takes the answer to `askedMs`. */
  learn(askedMs: number, found: Found): void {
    if (found?.offset === this.#wanted) this.#is(found.timestampMs);
    else if (found !== null && found.offset < this.#wanted) {
      this.#fromMs = found.timestampMs;
      this.#untilMs = Math.max(this.#untilMs, found.timestampMs);
      // It was removed meanwhile: the oldest record that is left is the one that counts now.
    } else if (this.#fromMs === null) this.#is(found?.timestampMs ?? this.#nowMs);
    else this.#untilMs = askedMs - 1;
  }

  #is(timestampMs: number): void {
    this.#fromMs = timestampMs;
    this.#untilMs = timestampMs;
  }
}
