// Files that grow and of which nobody tells, because their folder has too many events or cannot be watched: each is
// asked several times a second for its size, and read when that is another. The next tick asks again which they are.
//
// Guarantees: no more than one part in PAUSE_RATIO of the time goes by in asking; no timer runs where there are none.

import type { Clock } from '#shared/clock.ts';

export interface GrowingFile {
  /** False also where nobody knows without waiting. */
  readonly hasGrown: boolean;
}

const EACH_MS = 200;
const PAUSE_RATIO = 20;

export class QuickLooks<File extends GrowingFile> implements Disposable {
  readonly #clock: Clock;
  readonly #wake: (file: File) => void;
  #files: readonly File[] = [];
  #timer: Disposable | null = null;

  constructor(clock: Clock, wake: (file: File) => void) {
    this.#clock = clock;
    this.#wake = wake;
  }

  /** From now on these and no others. */
  follow(files: readonly File[]): void {
    this.#files = files;
    if (files.length > 0) this.#timer ??= this.#clock.timer(EACH_MS, () => this.#look());
  }

  [Symbol.dispose](): void {
    this.#files = [];
    this.#timer?.[Symbol.dispose]();
    this.#timer = null;
  }

  #look(): void {
    const beganMs = this.#clock.monotonicMs();
    for (const file of this.#files) if (file.hasGrown) this.#wake(file);
    this.#timer = null;
    const tookMs = this.#clock.monotonicMs() - beganMs;
    const pauseMs = Math.max(EACH_MS, PAUSE_RATIO * tookMs);
    if (this.#files.length > 0) this.#timer = this.#clock.timer(pauseMs, () => this.#look());
  }
}
