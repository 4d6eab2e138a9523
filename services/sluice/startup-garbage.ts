// What a start leaves behind: modules as text, configuration, certificates, 8 MB of it. A process that then waits for work never fills its
// young generation, so nothing would ever collect it, and it would stay resident for days.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Clock } from '#shared/clock.ts';

/** After the first requests of a start, before anybody looks at an idle process. */
const AFTER_MS = 2000;
/** Who has more alive is at work: the pause would be felt, and the collector comes by itself. */
const HEAP_USED_MAX = 48 * 1024 * 1024;

/** Collects it once, a while from now; until `signal` is aborted. Takes about 30 ms then. */
export function collectStartupGarbage(clock: Clock, signal: AbortSignal): void {
  const timer = clock.timer(AFTER_MS, () => {
    if (process.memoryUsage().heapUsed > HEAP_USED_MAX) return;
    // The documented way to the collector of a process that was started without the flag.
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as (options: { type: 'major'; flavor: 'last-resort' }) => void;
    setFlagsFromString('--no-expose-gc');
    collect({ type: 'major', flavor: 'last-resort' });
  });
  signal.addEventListener('abort', () => timer[Symbol.dispose](), { once: true });
}
