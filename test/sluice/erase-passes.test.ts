// The passes of an erasure against a store that finds, and misses, documents only after its refresh; on a clock that
// the test drives.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '#shared/config/load.ts';
import { openEraser } from '#shared/open/open-eraser.ts';
import type { EraseStep } from '#shared/store/erase.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { eraseFindings } from '../../services/sluice/erase/passes.ts';
import { Page } from './command-runner.ts';

const NONE = new Map<string, number>();

/** Counts, and erases, what it knew at its last refresh. */
class RefreshedStore {
  documents: number;
  #seen: number;

  constructor(clock: VirtualClock, { documents, intervalMs }: { documents: number; intervalMs: number }) {
    this.documents = documents;
    this.#seen = documents;
    const refresh = (): void => {
      this.#seen = this.documents;
      clock.timer(intervalMs, refresh);
    };
    clock.timer(intervalMs, refresh);
  }

  count = (): Promise<number> => Promise.resolve(this.#seen);
  examples = (): Promise<never[]> => Promise.resolve([]);
  unreachable = (): Promise<never[]> => Promise.resolve([]);

  async *erase(): AsyncGenerator<EraseStep, void, void> {
    const erased = Math.min(this.#seen, this.documents);
    this.documents -= erased;
    yield { erased, refused: NONE };
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

async function foundAfterMs(intervalMs: number): Promise<number> {
  const env = {
    SLUICE_ELASTICSEARCH_URL: 'http://127.0.0.1:9',
    SLUICE_ELASTICSEARCH_REFRESH_INTERVAL_MS: String(intervalMs),
  };
  const config = loadConfig({ env, readFile: () => '' });
  await using eraser = await openEraser(config, { clock: new VirtualClock(), readOnly: false });
  return eraser.foundAfterMs;
}

for (const intervalMs of [100, 1000, 60_000]) {
  test(`what is left is counted after a refresh that takes ${intervalMs} ms to come`, async () => {
    const clock = new VirtualClock();
    const store = new RefreshedStore(clock, { documents: 5, intervalMs });
    const eraser = Object.assign(store, { foundAfterMs: await foundAfterMs(intervalMs) });
    assert.equal(eraser.foundAfterMs, intervalMs + 500);
    // Written less than an interval ago: the first count does not know of them.
    store.documents += 2;
    const config = loadConfig({ env: {}, readFile: () => '' });
    const page = new Page();
    const context = { config, clock, stdout: page, stderr: page, signal: new AbortController().signal };
    const findings = {
      documents: await eraser.count(),
      examples: [],
      unreachable: [],
      deadLetters: null,
      queueKind: 'embedded' as const,
      hasSources: false,
      lag: 0,
      lagFailures: [],
    };
    const result = await clock.until(eraseFindings(eraser, { query: {}, findings, context }));
    assert.deepEqual([result.documents, result.left, result.stopped, store.documents], [7, 0, null, 0]);
  });
}
