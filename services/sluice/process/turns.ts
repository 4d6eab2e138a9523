// How long the event loop is held by one of its turns: the main thread's processor time between two of them. While a
// turn lasts no input is read and no probe is answered, so this is what one costly request does to all others. The
// wall's time would tell of a busy machine too, and of waiting; the processor's time tells what our own code took.
//
// Guarantees: every turn is counted; an idle process is not woken; a turn costs 0.1 µs, and 0.3 µs more at most each
// millisecond.

import type { HistogramHandle } from '#shared/metrics.ts';

/**
 * Turns that end sooner after the last look count as nothing, and their time is told with the next: too much by this at
 * most.
 */
const LOOK_MS = 1;

/** Observes every turn from now on, in seconds, until `signal` is aborted. */
export function observeTurns(turns: HistogramHandle, signal: AbortSignal): void {
  let lookedMs = performance.now();
  let spentUs = cpuUs();
  const look = (): void => {
    if (signal.aborted) return;
    // What is not referenced runs at the end of each turn, but does not make the loop turn.
    setImmediate(look).unref();
    const nowMs = performance.now();
    if (nowMs - lookedMs < LOOK_MS) {
      turns.observe(0);
      return;
    }
    lookedMs = nowMs;
    const us = cpuUs();
    turns.observe((us - spentUs) / 1e6);
    spentUs = us;
  };
  setImmediate(look).unref();
}

/** Of this thread alone. */
function cpuUs(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}
