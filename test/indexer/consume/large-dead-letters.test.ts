// A replay of dead letters that are larger, packed and opened, than what may be in hand.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { startIndexer } from '#indexer/shells/main.ts';
import { Replay, type ReplayCounts } from '#indexer/shells/replay.ts';
import { decompress } from '#shared/record/compression.ts';
import type { BulkOutcome } from '#shared/store/store.ts';
import { World } from '../world.ts';

const REFUSED: BulkOutcome = { status: 400, errorType: 'document_parsing_exception', errorReason: 'conflict' };
const OPENED_MAX = 1024;

async function replay(world: World): Promise<ReplayCounts> {
  const { signal } = new AbortController();
  const run = new Replay({ ...world.options, selection: {}, again: false, signal });
  await world.clock.until(run.run());
  return run.counts;
}

test('the next dead letter is replayed although all of the one before is refused again', async () => {
  const world = new World({ partitions: 1, env: { SLUICE_INDEXER_INFLIGHT_MAX_BYTES: String(1024 * 1024) } });
  for (let i = 0; i < 3; i++) {
    const text = (): string => randomBytes(60_000).toString('base64');
    const entries = Array.from({ length: 30 }, () => world.entry({ log: `event ${world.sent++} ${text()}` }));
    await world.sendEntries(0, [world.batch(30)], entries, 'zstd');
  }
  // Nothing of them can be opened, so that each is a dead letter.
  const indexer = await startIndexer({
    ...world.options,
    decompress: (bytes, encoding) => decompress(bytes, encoding, OPENED_MAX),
  });
  await world.drained();
  await world.clock.until(indexer.stop());
  assert.equal(world.queue.letters.length, 3);
  world.store.hooks = { item: () => REFUSED };
  assert.deepEqual(await replay(world), { indexed: 0, present: 0, failed: 3, impossible: 0 });
  world.store.hooks = {};
  assert.deepEqual(await replay(world), { indexed: 3, present: 0, failed: 0, impossible: 0 });
  world.check([]);
});
