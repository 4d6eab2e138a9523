// How V8 marks the heap, by what is alive in it. A small heap is marked in one go (collector.ts): in steps it took five
// to eight percent of an event's processor time. With thousands of connections 50 MB are alive, one go takes 60 to 100
// ms, and nobody is answered meanwhile; so a large heap is marked in steps, beside the program. It grows by tens of
// megabytes before it is marked the first time, so "large" begins early. A large heap also grows by a third before it
// is collected again, where V8 would let it grow to some times what is alive: a container has 512 MiB for all.

import { constants, PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';

const MIB = 1024 * 1024;
/** Bytes alive: an idle process has 15 to 20 MB. Between the two bounds all stays as it is. */
const LARGE_BYTES = 28 * MIB;
const SMALL_BYTES = 23 * MIB;
/** What a heap grows by between full collections, in percent of what is alive; 0: as V8 thinks best. */
const GROWTH = { large: 33, small: 0 };

/** Looks at the heap after each full collection, until `signal` is aborted. */
export function markBySize(signal: AbortSignal): void {
  let inSteps = false;
  const observer = new PerformanceObserver((list) => {
    if (!list.getEntries().some(isFullCollection)) return;
    const next = marksInSteps(getHeapStatistics().used_heap_size, inSteps);
    if (next === inSteps) return;
    inSteps = next;
    setFlagsFromString(inSteps ? '--incremental-marking' : '--no-incremental-marking');
    setFlagsFromString(`--heap-growing-percent=${inSteps ? GROWTH.large : GROWTH.small}`);
  });
  observer.observe({ entryTypes: ['gc'] });
  signal.addEventListener('abort', () => observer.disconnect(), { once: true });
}

/**
 * Whether the heap is to be marked in steps from now on.
 * @param usedBytes after a full collection
 */
export function marksInSteps(usedBytes: number, inSteps: boolean): boolean {
  return usedBytes > (inSteps ? SMALL_BYTES : LARGE_BYTES);
}

function isFullCollection(entry: PerformanceEntry): boolean {
  // Node's types have no place for it.
  const detail: unknown = 'detail' in entry ? entry.detail : null;
  const isGc = typeof detail === 'object' && detail !== null && 'kind' in detail;
  return isGc && detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
}
