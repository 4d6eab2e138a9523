// Bounds what buffers that nobody has any more keep. V8's own way is a whole collection after each 64 MB of buffers
// that came, free or not: twenty times a second at full load. With --external-memory-accounted-in-global-limit (see
// process/v8-flags.ts) it counts what is there instead, and nearly all of that goes with the young generation, which
// takes a millisecond. But then V8 looks only when the heap itself grows, and a thread that moves large buffers and
// makes few objects keeps them; so this looks at the buffers.
//
// It looks at the heap too. While V8 marks in steps it does not collect the young generation, however large that gets,
// and buffers go with it: with 5,000 connections on a busy machine marking took four seconds, in which 80 MB of objects
// and 60 MB of buffers came that nobody had any more. A collection of the young generation ends the marking.
//
// What was in use for a while and is not any more, V8 keeps for long where memory is cheap: events that waited for the
// queue made 5 MB a second of it, of which 60 were kept. A collection of all costs 20 ms; a large heap, where it costs
// more, is left to V8 (process/heap-marking.ts).
//
// Guarantees: buffers without a user are at most OLD_BYTES that were in use for a while, twice YOUNG_BYTES, and what
// comes in one turn of the event loop, or half of that where the heap is large; the young generation has at most
// HEAP_BYTES more than V8 was told; in a small heap, old objects without a user take at most OLD_HEAP_BYTES and
// HEAP_BYTES, or half of what is in use and HEAP_BYTES.

import { getHeapStatistics } from 'node:v8';
import { collectGarbage, collectYoungGarbage } from './garbage.ts';

const LOOK_INTERVAL_MS = 1;
const MIB = 1024 * 1024;
/** So many more than the fewest since the last collection: the young generation is collected. */
const YOUNG_BYTES = 32 * MIB;
/** So many more, at their fewest, than when all was collected: all is collected. */
const OLD_BYTES = 64 * MIB;

/** With so much in the heap there are thousands of connections, which need the memory themselves. */
const LARGE_HEAP_BYTES = 40 * MIB;
/** So many more in the heap than the fewest since the last collection: the young generation is collected. */
const HEAP_BYTES = 16 * MIB;

/**
 * So many more in the heap after a collection of the young generation than after one of all: all is collected. Or half
 * as many again as there were then, where that is more.
 */
const OLD_HEAP_BYTES = 16 * MIB;

/** Of this thread, the fewest at any look since the last collection, and since the last one of all. */
let fewest = 0;
let fewestSinceAll = 0;
/** The same of the heap, since the last collection that was asked for here. */
let fewestOfHeap = 0;
/** What was in the heap after the last collection of all. */
let heapSinceAll = 0;

/** To be called often: it takes a microsecond. Of this thread alone. */
export function boundBufferGarbage(): void {
  const { external_memory: bytes, used_heap_size: heapBytes } = getHeapStatistics();
  fewest = Math.min(fewest, bytes);
  fewestSinceAll = Math.min(fewestSinceAll, bytes);
  fewestOfHeap = Math.min(fewestOfHeap, heapBytes);
  const part = heapBytes > LARGE_HEAP_BYTES ? 0.5 : 1;
  if (bytes - fewest < part * YOUNG_BYTES) {
    if (heapBytes - fewestOfHeap < HEAP_BYTES) return;
    collectYoungGarbage();
    fewestOfHeap = getHeapStatistics().used_heap_size;
    const oldBytes = fewestOfHeap - heapSinceAll;
    if (fewestOfHeap < LARGE_HEAP_BYTES && oldBytes >= Math.max(OLD_HEAP_BYTES, heapSinceAll / 2)) collectAll();
    return;
  }
  const areOld = fewest - fewestSinceAll >= part * OLD_BYTES;
  if (areOld) collectAll();
  else collectYoungGarbage();
  // Another thread frees them, so that only a later look sees how many are left.
  fewest = bytes;
  if (areOld) fewestSinceAll = bytes;
}

function collectAll(): void {
  collectGarbage();
  heapSinceAll = getHeapStatistics().used_heap_size;
  fewestOfHeap = heapSinceAll;
}

/**
 * Looks between the turns of the event loop, each millisecond at most. Keeps no process running, and wakes none that is
 * idle.
 */
export function boundBufferGarbageFromNowOn(): void {
  let lookedMs = performance.now();
  const look = (): void => {
    setImmediate(look).unref();
    const nowMs = performance.now();
    if (nowMs - lookedMs < LOOK_INTERVAL_MS) return;
    lookedMs = nowMs;
    boundBufferGarbage();
  };
  setImmediate(look).unref();
}
