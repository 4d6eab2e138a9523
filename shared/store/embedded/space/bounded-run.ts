// Sums of what was deleted for the bound, to be told once it is kept again; now and then where that takes long, so that
// a process that is killed meanwhile has told most of it.

import type { Clock } from '#shared/clock.ts';
import type { StoreBounded } from '../../store.ts';

type Sums = Omit<StoreBounded, 'bytesMax'>;

const NONE: Sums = { documents: 0, bytes: 0, untilMs: null };
const EVERY_MS = 60_000;

export class BoundedRun {
  readonly #clock: Clock;
  readonly #tell: (sums: Sums) => void;
  #sums = NONE;
  #toldMs: number;
  #isAny = false;

  constructor(clock: Clock, tell: (sums: Sums) => void) {
    this.#clock = clock;
    this.#tell = tell;
    this.#toldMs = clock.monotonicMs();
  }

  add({ documents, bytes, untilMs }: Sums): void {
    if (documents === 0) return;
    this.#isAny = true;
    const { documents: before, bytes: bytesBefore, untilMs: untilBefore } = this.#sums;
    const last = untilMs === null || untilBefore === null ? (untilMs ?? untilBefore) : Math.max(untilMs, untilBefore);
    this.#sums = { documents: before + documents, bytes: bytesBefore + bytes, untilMs: last };
    if (this.#clock.monotonicMs() - this.#toldMs >= EVERY_MS) this.#flush();
  }

  /** Returns whether anything was deleted. */
  end(): boolean {
    if (this.#sums.documents > 0) this.#flush();
    return this.#isAny;
  }

  #flush(): void {
    this.#tell(this.#sums);
    this.#sums = NONE;
    this.#toldMs = this.#clock.monotonicMs();
  }
}
