// How V8's garbage collector is used: what a log pipeline allocates is mostly bytes beside its heap, for which the
// defaults are not made.

import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Clock } from '#shared/clock.ts';

/**
 * Marks the heap in one go rather than in steps beside the program. Each 64 MB of buffers that come and go make V8 look
 * for those that are free, twenty times a second at full load. The heap itself is 15 MB, which is marked in a few
 * milliseconds; in steps, with write barriers and helper threads that start again each time, it took a third of the
 * forwarder's CPU time and a tenth of the indexer's.
 */
export function markAtOnce(): void {
  setFlagsFromString('--no-incremental-marking');
}

/** After the first requests of a start, before anybody looks at an idle process. */
const AFTER_MS = 2000;
/** Who has more alive is at work: the pause would be felt, and the collector comes by itself. */
const HEAP_USED_MAX = 48 * 1024 * 1024;

/**
 * Collects once, a while from now, what the start leaves behind: modules as text, configuration, certificates, 8 MB of
 * it. A process that then waits for work never fills its young generation, so it would stay resident for days. Takes
 * about 30 ms; until `signal` is aborted.
 */
export function collectStartupGarbage(clock: Clock, signal: AbortSignal): void {
  const timer = clock.timer(AFTER_MS, () => {
    // Unlike process.memoryUsage(), it opens no file, so it works where no more may be opened.
    if (getHeapStatistics().used_heap_size > HEAP_USED_MAX) return;
    // The documented way to the collector of a process that was started without the flag.
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as (options: { type: 'major'; flavor: 'last-resort' }) => void;
    setFlagsFromString('--no-expose-gc');
    collect({ type: 'major', flavor: 'last-resort' });
  });
  signal.addEventListener('abort', () => timer[Symbol.dispose](), { once: true });
}
