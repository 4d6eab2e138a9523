// `sluice store compact` beside a service that writes: it ends, and leaves one block of what was there before.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { it } from 'node:test';
import { DocumentDatabase } from '#shared/store/embedded/database.ts';
import { type CompactStep, FIRST_STEP } from '#shared/store/embedded/space/compaction.ts';
import { bulkRequest, testId } from '#test/contract/store-bodies.ts';

const SMALL_BLOCKS = 20;
/** Each step may have a request of one document behind it. */
const STEPS_MAX = 30;

it('ends beside a service that writes small requests', async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-compact-'));
  t.after(() => rm(dataDir, { recursive: true }));
  const database = new DocumentDatabase({
    folder: join(dataDir, 'store'),
    readOnly: false,
    retentionMs: 86_400_000,
    namesMax: 1000,
  });
  t.after(() => database.close());
  let written = 0;
  const write = (): void => {
    const time = new Date(Date.UTC(2026, 0, 1) + written * 1000).toISOString();
    const document = { '@timestamp': time, message: `line ${written}` };
    const { body, items } = bulkRequest([{ id: testId(++written, 0), index: 'logs-sluice-default', document }]);
    const bounds = Uint32Array.from([...items].flatMap(({ docStart, docEnd }) => [docStart, docEnd]));
    const streams = new Uint16Array(1);
    database.write({ body, ids: items.map(({ id }) => id), bounds, streams, streamNames: ['logs-sluice-default'] });
  };
  for (let i = 0; i < SMALL_BLOCKS; i++) write();
  let steps = 0;
  for (let step: CompactStep | null = FIRST_STEP; step !== null && steps <= STEPS_MAX; steps++) {
    step = database.compact(step).next;
    write();
  }
  assert(steps <= STEPS_MAX, `${steps} steps`);
  const file = new DatabaseSync(join(dataDir, 'store', 'documents.sqlite'), { readOnly: true });
  const blocks = file.prepare('SELECT count(*) AS n FROM blocks WHERE row_min <= ?').get(SMALL_BLOCKS)?.['n'];
  file.close();
  assert.equal(blocks, 1, 'of what was there before');
});
