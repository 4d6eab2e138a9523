// How long to wait before another try: exponential with full jitter, so that many who failed together do not come back
// together. See "Exponential Backoff And Jitter" (AWS Architecture Blog): sleep = random(0, min(cap, base *
// 2^attempt)).

export interface BackoffLimits {
  readonly baseMs: number;
  readonly capMs: number;
}

/**
 * `attempt` counts the failures so far, from 0. `random` gives a number in [0, 1). At least a quarter of the base, so
 * that nobody spins.
 */
export function backoffMs(attempt: number, limits: BackoffLimits, random: () => number): number {
  const ceiling = Math.min(limits.capMs, limits.baseMs * 2 ** Math.min(attempt, 30));
  return Math.max(limits.baseMs / 4, ceiling * random());
}
