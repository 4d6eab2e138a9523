// A journalctl that hangs prints as little as one that has nothing to print. Where nothing has come for a while,
// another one is asked whether the journal has more.

import type { Clock } from '#shared/clock.ts';

export interface SilenceOptions {
  readonly clock: Clock;
  readonly silenceMs: number;
  /** Grows with what comes; null while nobody listens. */
  readonly heard: () => number | null;
  /** Rejects where nobody knows. */
  readonly hasMore: () => Promise<boolean>;
  /** Told once. */
  readonly silent: () => void;
}

/** What the journal has may be on its way for so long. */
const GRACE_MS = 5000;

/** Until it is disposed of. */
export function watchSilence(options: SilenceOptions): Disposable {
  const { clock, silenceMs, heard, hasMore, silent } = options;
  let timer: Disposable | null = null;
  let isOver = false;
  const again = (afterMs: number, look: () => void): void => {
    timer = isOver ? null : clock.timer(afterMs, look);
  };
  const listen = (): void => {
    const before = heard();
    again(silenceMs, () => {
      if (before === null || heard() !== before) listen();
      else void ask(before);
    });
  };
  const ask = async (before: number): Promise<void> => {
    const isMore = await hasMore().catch(() => false);
    if (!isMore) return listen();
    again(Math.min(GRACE_MS, silenceMs), () => {
      if (heard() === before) silent();
      else listen();
    });
  };
  listen();
  return {
    [Symbol.dispose]() {
      isOver = true;
      timer?.[Symbol.dispose]();
    },
  };
}
