// Percentiles of any number of values in bounded memory. A few are kept; of more, values are counted in bins whose
// bounds grow by 2 %, so that what is told is within 1 % of the value that has the rank (the idea of DDSketch,
// https://arxiv.org/abs/1908.10693).
//
// Pure. The least and the greatest value are exact.

const GROWTH = Math.log(1.02);
/** Smaller ones are 0: their bins would be many. */
const SMALLEST = 1e-9;

/** So many values are kept as they are. */
const EXACT_MAX = 500;

export class Percentiles {
  #values: number[] | null = [];
  /** By bin: positive values from 1 on upwards, negative ones downwards, 0 in the middle. */
  readonly #bins = new Map<number, number>();
  #count = 0;
  #min = Infinity;
  #max = -Infinity;

  /** `takes`: whether there is memory for one more. False where there is none: the value is not counted. */
  add(value: number, takes: () => boolean = () => true): boolean {
    if ((this.#values !== null || !this.#bins.has(binOf(value))) && !takes()) return false;
    this.#count += 1;
    this.#min = Math.min(this.#min, value);
    this.#max = Math.max(this.#max, value);
    if (this.#values === null) {
      this.#bin(value);
      return true;
    }
    this.#values.push(value);
    if (this.#values.length <= EXACT_MAX) return true;
    for (const kept of this.#values) this.#bin(kept);
    this.#values = null;
    return true;
  }

  #bin(value: number): void {
    const bin = binOf(value);
    this.#bins.set(bin, (this.#bins.get(bin) ?? 0) + 1);
  }

  /** `percent`: 0 to 100. Null where there are no values. */
  at(percent: number): number | null {
    if (this.#count === 0) return null;
    const rank = Math.max(1, Math.ceil((percent / 100) * this.#count));
    if (rank === this.#count) return this.#max;
    if (this.#values !== null) return this.#values.toSorted((a, b) => a - b)[rank - 1] ?? null;
    let below = 0;
    for (const [bin, count] of [...this.#bins].toSorted(([a], [b]) => a - b)) {
      below += count;
      if (below >= rank) return Math.min(this.#max, Math.max(this.#min, middleOf(bin)));
    }
    return this.#max;
  }
}

/** Of 1e-9 to 1.8e308, some 36,800 bins lie on each side. */
const FIRST = Math.ceil(Math.log(SMALLEST) / GROWTH);

function binOf(value: number): number {
  const size = Math.abs(value);
  if (size < SMALLEST) return 0;
  const bin = Math.ceil(Math.log(size) / GROWTH) - FIRST + 1;
  return value < 0 ? -bin : bin;
}

/** As far from either bound, in proportion. */
function middleOf(bin: number): number {
  if (bin === 0) return 0;
  const size = Math.exp((Math.abs(bin) + FIRST - 1.5) * GROWTH);
  return bin < 0 ? -size : size;
}
