// Tells when one of some files has changed, whichever way it was replaced: written over, renamed over, or (as
// Kubernetes does with secrets) a link that points elsewhere. By asking, for the kernel's notices miss the last of
// these.

import { readFileSync } from 'node:fs';
import type { Clock } from '#shared/clock.ts';

export interface WatchOptions {
  readonly paths: readonly string[];
  readonly clock: Clock;
  readonly intervalMs: number;
  /** One of them has other bytes than before. What it throws is the caller's defect. */
  readonly changed: () => void;
}

/** A file that is being written may be valid so far, and say something else: of tokens, that one may do more. */
const SETTLE_MS = 200;

/**
 * Looks at them again and again until it is disposed of. The files are small: their bytes are compared, not their
 * times. A change is told when they are the same twice.
 */
export function watchFiles({ paths, clock, intervalMs, changed }: WatchOptions): Disposable {
  let told = contentOf(paths);
  let last = told;
  let timer = clock.timer(intervalMs, look);
  function look(): void {
    const now = contentOf(paths);
    const isSettled = now === last;
    last = now;
    timer = clock.timer(isSettled ? intervalMs : Math.min(intervalMs, SETTLE_MS), look);
    if (!isSettled || now === told) return;
    told = now;
    changed();
  }
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
}

/** A file that is away for a moment, while it is replaced, counts as empty. */
function contentOf(paths: readonly string[]): string {
  return paths
    .map((path) => {
      try {
        return readFileSync(path, 'latin1');
      } catch {
        return '';
      }
    })
    .join('\u0000');
}
