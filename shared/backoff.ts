// How long to wait before another try. With full jitter, so that many who failed together do not come back together.
// Without it where nobody comes back together. See "Exponential Backoff And Jitter" (AWS Architecture Blog): sleep =
// random(0, min(cap, base * 2^attempt)).

export interface BackoffLimits {
  readonly baseMs: number;
  readonly capMs: number;
}

/** Beyond, the numbers would only grow past any cap. */
const DOUBLINGS_MAX = 30;

/** Without jitter. `attempt` counts the failures so far, from 0. */
export function steadyBackoffMs(attempt: number, { baseMs, capMs }: BackoffLimits): number {
  return Math.min(capMs, baseMs * 2 ** Math.min(attempt, DOUBLINGS_MAX));
}

/** With jitter. `random` gives a number in [0, 1). At least a quarter of the base, so that nobody spins. */
export function backoffMs(attempt: number, limits: BackoffLimits, random: () => number): number {
  return Math.max(limits.baseMs / 4, steadyBackoffMs(attempt, limits) * random());
}
