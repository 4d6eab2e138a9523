// What a start leaves behind is collected once: a process that then waits for work would keep it for days.

import { getHeapStatistics } from 'node:v8';
import type { Clock } from '#shared/clock.ts';
import { collectGarbage } from '#shared/memory/garbage.ts';

/** After the first requests of a start, before anybody measures an idle process. */
const AFTER_MS = 2000;
/** A process with more alive is at work: the pause would be felt, and the collector comes by itself. */
const HEAP_USED_MAX = 48 * 1024 * 1024;

/**
 * Collects once, a while from now, what the start leaves behind: modules as text, configuration, certificates, 8 MB of
 * it. A process that then waits for work never fills its young generation, so this would stay resident. Does nothing
 * after `signal` is aborted.
 */
export function collectStartupGarbage(clock: Clock, signal: AbortSignal): void {
  const timer = clock.timer(AFTER_MS, () => {
    // Unlike process.memoryUsage(), it opens no file, so it works where no more may be opened.
    if (getHeapStatistics().used_heap_size <= HEAP_USED_MAX) collectGarbage('last-resort');
  });
  signal.addEventListener('abort', () => timer[Symbol.dispose](), { once: true });
}
