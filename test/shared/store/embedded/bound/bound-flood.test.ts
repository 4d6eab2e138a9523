// The bound while more comes than goes: documents that compress worse than the oldest, and requests side by side.

import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { it, type TestContext } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import { type EmbeddedStore, openEmbeddedStore } from '#shared/store/embedded/store.ts';
import { bulkRequest, type TestDocument, testId } from '#test/contract/store-bodies.ts';
import { incompressible } from './incompressible.ts';

const MIB = 2 ** 20;
const BOUND = 8 * MIB;
/** Documents of one request, which has about this as JSON. */
const FLOOD = 350;
const REQUEST_BYTES = 1.6 * MIB;
/** The default of bulk.concurrency. */
const AT_ONCE = 16;

interface Opened {
  readonly store: EmbeddedStore;
  readonly file: string;
}

async function opened(t: TestContext): Promise<Opened> {
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-bound-'));
  const options = { dataDir, readOnly: false, retentionMs: 86_400_000, bytesMax: BOUND, clock: systemClock };
  const store = await openEmbeddedStore(options);
  t.after(async () => {
    await store[Symbol.asyncDispose]();
    await rm(dataDir, { recursive: true });
  });
  return { store, file: join(dataDir, 'store', 'documents.sqlite') };
}

const write = async (store: EmbeddedStore, documents: readonly TestDocument[]): Promise<Set<number>> =>
  new Set((await store.bulk(bulkRequest(documents))).map(({ status }) => status));

async function sizeOf(file: string): Promise<number> {
  const sizes = await Promise.all(['', '-wal'].map(async (suffix) => (await stat(file + suffix)).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Returns how much the files had at most. */
async function flood({ store, file }: Opened, first: number, requests: number): Promise<number> {
  let [next, most] = [first, 0];
  const sender = async (): Promise<void> => {
    while (next < first + requests) {
      assert.deepEqual(await write(store, incompressible(next++, undefined, FLOOD)), new Set([201]));
      most = Math.max(most, await sizeOf(file));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, sender));
  return most;
}

it('is kept where what comes takes more than the oldest, of requests side by side', async (t) => {
  const opening = await opened(t);
  const pad = 'a'.repeat(2_500_000);
  for (let number = 1; number <= 60; number++) {
    const document = { '@timestamp': '2026-01-01T00:00:00Z', message: `${number} ${pad}` };
    const one = { id: testId(number, 0), index: 'logs-sluice-default', document };
    assert.deepEqual(await write(opening.store, [one]), new Set([201]));
  }
  const most = await flood(opening, 1000, 40);
  // A request, what may be above before one waits, and the log of one more.
  const least = BOUND * 0.8;
  const greatest = BOUND + 2 * REQUEST_BYTES + BOUND / 32;
  assert(most > least && most < greatest, `${most} at most, which is to be ${least} to ${greatest}`);
  const found = await opening.store.search({ order: 'oldest', limit: Infinity });
  // What came first went, and no more of the others than had to.
  assert(found.every(({ id }) => id >= testId(1000, 0)));
  assert(found.length * 4096 * 0.75 > BOUND / 2, `${found.length} documents are left`);
});

it('is kept again where it was long impossible, and requests are answered before', async (t) => {
  const opening = await opened(t);
  const file = new DatabaseSync(opening.file, { timeout: 10_000 });
  t.after(() => file.close());
  file.exec("CREATE TRIGGER held BEFORE DELETE ON blocks BEGIN SELECT RAISE(ABORT, 'held fast'); END");
  const held = await flood(opening, 1, 30);
  assert(held > 3 * BOUND, `${held} bytes while nothing could be deleted`);
  file.exec('DROP TRIGGER held');
  const before = file.prepare('SELECT sum(length(data)) AS bytes FROM parts').get()?.['bytes'];
  let least = Number(before);
  for (let number = 100; number < 110; number++) {
    await write(opening.store, incompressible(number, undefined, FLOOD));
    const bytes = Number(file.prepare('SELECT sum(length(data)) AS bytes FROM parts').get()?.['bytes']);
    assert(bytes < least + REQUEST_BYTES * 1.5, `${bytes} bytes after request ${number}, and ${least} before`);
    least = Math.min(least, bytes);
  }
  assert(least < Number(before) / 2);
});
