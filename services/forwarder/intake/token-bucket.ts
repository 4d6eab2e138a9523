// A rate with a burst of one second, or of as many as given. What was already read is taken even if it exceeds the
// rate, and leaves a debt, during which nothing is read: nobody knows beforehand how much will come. Pure: the caller
// gives the time.

export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #atMs: number;

  constructor(perSecond: number, nowMs: number, burstSeconds = 1) {
    this.#perMs = perSecond / 1000;
    this.#burst = perSecond * burstSeconds;
    this.#tokens = this.#burst;
    this.#atMs = nowMs;
  }

  /** `tokensMin`: no debt is deeper. */
  take(amount: number, nowMs: number, tokensMin = Number.NEGATIVE_INFINITY): void {
    this.#fill(nowMs);
    this.#tokens = Math.max(tokensMin, this.#tokens - amount);
  }

  /** Whether so much may be taken without a debt. */
  has(amount: number, nowMs: number): boolean {
    this.#fill(nowMs);
    return this.#tokens >= amount;
  }

  /** What is left; negative for a debt. */
  tokens(nowMs: number): number {
    this.#fill(nowMs);
    return this.#tokens;
  }

  /** Milliseconds until more may be read; 0 where it may be now. */
  waitMs(nowMs: number): number {
    this.#fill(nowMs);
    return this.#tokens >= 0 ? 0 : Math.ceil(-this.#tokens / this.#perMs);
  }

  #fill(nowMs: number): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + (nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
  }
}
