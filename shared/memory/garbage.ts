// Collects garbage when a thread knows that it has left much, and has nothing else to do: V8 collects when something is
// allocated, so an idle thread keeps tens of megabytes for days.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let collect: NodeJS.GCFunction | null = null;

/**
 * Of this thread alone; some milliseconds for a small heap.
 * @param flavor `last-resort` gives back what it can, and takes about 30 ms
 */
export function collectGarbage(flavor: 'regular' | 'last-resort' = 'regular'): void {
  collector()({ type: 'major', flavor });
}

/** What was made lately and is not used any more: a millisecond. Of this thread alone. */
export function collectYoungGarbage(): void {
  collector()({ type: 'minor' });
}

/** When what is done now is done. */
export function collectGarbageSoon(): void {
  setImmediate(() => collectGarbage());
}

function collector(): NodeJS.GCFunction {
  return (collect ??= globalThis.gc ?? exposedCollector());
}

/** The documented way to the collector of a process that was started without the flag. */
function exposedCollector(): NodeJS.GCFunction {
  setFlagsFromString('--expose-gc');
  const collector = runInNewContext('gc') as NodeJS.GCFunction;
  setFlagsFromString('--no-expose-gc');
  return collector;
}
