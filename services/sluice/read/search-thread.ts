// The thread in which the embedded store is searched: reading blocks, counting, and making JSON take the processor for
// long, and whoever takes logs in must not wait for it. Started by searches.ts through sqlite/worker-thread.ts; nothing
// else may import it.

import { systemClock } from '#shared/clock.ts';
import { moved, serveWorker } from '#shared/sqlite/worker-thread.ts';
import { ReadingStore } from '#shared/open/reading-store.ts';
import { answer } from './answers.ts';
import { KEPT_BYTES_MAX, MemoryShares } from './bounds/memory-shares.ts';
import type { ReadRequest } from './request.ts';

export interface SearchThreadOptions {
  readonly dataDir: string;
}

/** `id`: chosen by whoever asks, of one answer. */
export interface SearchThread {
  open(asked: { readonly id: number; readonly request: ReadRequest }): void;
  /** The next piece of the answer as UTF-8; null at its end. */
  next(id: number): Promise<ReturnType<typeof moved<Uint8Array<ArrayBuffer> | null>>>;
  /** Something was committed: for those who follow. */
  arrived(argument: null): void;
  /** Resolves when nothing is done for it any more. */
  close(id: number): Promise<void>;
}

interface Open {
  readonly pieces: AsyncGenerator<string, void, void>;
  readonly stop: AbortController;
}

serveWorker<SearchThreadOptions, SearchThread>(({ dataDir }, notify) => {
  let isDamaged = false;
  const warn = (message: string): void => {
    isDamaged = true;
    notify(message);
  };
  const store = new ReadingStore({ dataDir, warn });
  const foundAtOnce = () => Promise.resolve(0);
  const memory = new MemoryShares(KEPT_BYTES_MAX);
  const kind = 'embedded' as const;
  const source = { store, kind, clock: systemClock, foundAfterMs: foundAtOnce, memory, isDamaged: () => isDamaged };
  const encoder = new TextEncoder();
  const all = new Map<number, Open>();
  return {
    methods: {
      open({ id, request }) {
        const stop = new AbortController();
        all.set(id, { pieces: answer(source, request, stop.signal), stop });
      },
      async next(id) {
        const piece = await all.get(id)?.pieces.next();
        if (piece === undefined || piece.done === true) return moved(null, []);
        const bytes = encoder.encode(piece.value);
        return moved(bytes, [bytes.buffer]);
      },
      arrived: () => store.arrivals.wake(),
      async close(id) {
        const open = all.get(id);
        all.delete(id);
        open?.stop.abort();
        await open?.pieces.return().catch(() => undefined);
      },
    },
    close: () => store.close(),
  };
});
