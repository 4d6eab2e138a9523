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

/**
 * Looks at them again and again until it is disposed of. The files are small: their bytes are compared, not their
 * times.
 */
export function watchFiles({ paths, clock, intervalMs, changed }: WatchOptions): Disposable {
  let last = contentOf(paths);
  let timer = clock.timer(intervalMs, look);
  function look(): void {
    const now = contentOf(paths);
    const isChanged = now !== last;
    last = now;
    timer = clock.timer(intervalMs, look);
    if (isChanged) changed();
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
