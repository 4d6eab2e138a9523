// Gives memory that is free in glibc's heap back to the system. What thousands of connections leave behind is free in
// small pieces between others that are in use, and glibc gives back only what is free at the heap's end: under siege
// 115 to 143 MiB of a forwarder's 512 stayed so. `malloc_trim` gives back the whole pages among them (264 MiB became 84
// in 23 ms). Node calls it by `node:ffi`; where there is none (another C library, Node before 26.1), nothing is done.
//
// Guarantees: an idle process calls it never; one whose memory is really in use, twice a minute at most.

import { getHeapStatistics } from 'node:v8';
import type { Clock } from '#shared/clock.ts';

const MIB = 1024 * 1024;
const LOOK_MS = 2000;
/** More than this, above the least there was since it last was given back, may be free. */
const GROWN_BYTES = 16 * MIB;
/** Where less was given back, the rest is in use, and is looked at again only after a while. */
const WORTH_BYTES = 4 * MIB;
const IN_USE_MS = 30_000;

/** Looks every two seconds until `signal` is aborted. */
export function giveBackFreedMemory(clock: Clock, signal: AbortSignal, trim = mallocTrim()): void {
  if (!trim) return;
  const memory = new FreedMemory({ bytes: bytesBesideTheHeap, trim, nowMs: () => clock.monotonicMs() });
  let timer: Disposable | null = null;
  const look = (): void => {
    memory.look();
    timer = clock.timer(LOOK_MS, look);
  };
  timer = clock.timer(LOOK_MS, look);
  signal.addEventListener('abort', () => timer?.[Symbol.dispose](), { once: true });
}

export interface Measures {
  /** Resident bytes that V8 does not account for; null if they can't be had. */
  readonly bytes: () => number | null;
  readonly trim: () => void;
  readonly nowMs: () => number;
}

/** When it is worth while to trim. */
export class FreedMemory {
  readonly #measures: Measures;
  #leastBytes = Infinity;
  #restsUntilMs = -Infinity;

  constructor(measures: Measures) {
    this.#measures = measures;
  }

  look(): void {
    const { bytes, trim, nowMs } = this.#measures;
    const before = bytes();
    if (before === null) return;
    this.#leastBytes = Math.min(this.#leastBytes, before);
    if (before - this.#leastBytes <= GROWN_BYTES || nowMs() < this.#restsUntilMs) return;
    trim();
    const after = bytes() ?? before;
    this.#leastBytes = after;
    if (before - after < WORTH_BYTES) this.#restsUntilMs = nowMs() + IN_USE_MS;
  }
}

function bytesBesideTheHeap(): number | null {
  try {
    const { total_heap_size: heap, external_memory: buffers } = getHeapStatistics();
    return process.memoryUsage.rss() - heap - buffers;
  } catch {
    // It reads a file, and the process may have no descriptor left.
    return null;
  }
}

/** As far as it is used here; Node's types do not have it yet. */
interface ForeignFunctions {
  dlopen(
    path: null,
    functions: { malloc_trim: { arguments: ['u64']; return: 'i32' } },
  ): { functions: { malloc_trim: (keptBytes: bigint) => number } };
}

/** glibc's; null where there is none. */
export function mallocTrim(): (() => void) | null {
  if (process.platform !== 'linux') return null;
  try {
    const { malloc_trim } = foreignFunctions().dlopen(null, {
      malloc_trim: { arguments: ['u64'], return: 'i32' },
    }).functions;
    return () => void malloc_trim(0n);
  } catch {
    return null;
  }
}

/** Without the warning that it is experimental, which would be the first line that a newcomer sees. */
function foreignFunctions(): ForeignFunctions {
  const { emitWarning } = process;
  process.emitWarning = () => undefined;
  try {
    return process.getBuiltinModule('node:ffi');
  } finally {
    process.emitWarning = emitWarning;
  }
}
