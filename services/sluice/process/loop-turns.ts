// How long one turn blocks the event loop: the main thread's processor time between two turns. While a turn lasts, no
// input is read and no probe is answered, so this is what one costly request does to all others. Wall-clock time would
// also grow on a busy machine; processor time shows what our own code took.
//
// Guarantees: every turn is counted; an idle process is not woken; a turn costs 0.1 µs, and 0.3 µs more at most each
// millisecond.

import type { HistogramHandle } from '#shared/metrics.ts';

/**
 * Turns that end sooner after the last measurement count as 0, and their time is added to the next one, which is too
 * long by at most this.
 */
const MEASURE_INTERVAL_MS = 1;

/** Observes every turn from now on, in seconds, until `signal` is aborted. */
export function observeTurns(turns: HistogramHandle, signal: AbortSignal): void {
  let measuredMs = performance.now();
  let spentUs = cpuUs();
  const measure = (): void => {
    if (signal.aborted) return;
    // An immediate without reference runs at the end of each turn, but keeps no idle loop turning.
    setImmediate(measure).unref();
    const nowMs = performance.now();
    if (nowMs - measuredMs < MEASURE_INTERVAL_MS) {
      turns.observe(0);
      return;
    }
    measuredMs = nowMs;
    const us = cpuUs();
    turns.observe((us - spentUs) / 1e6);
    spentUs = us;
  };
  setImmediate(measure).unref();
}

/** Of this thread alone. */
function cpuUs(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}
