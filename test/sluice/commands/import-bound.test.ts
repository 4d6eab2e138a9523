// `sluice store import` keeps the bound of the store: what a service would delete older documents for is not begun.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { testId } from '#test/contract/store-bodies.ts';
import { run } from '../../../services/sluice/store/store.ts';
import { CommandRunner } from '../command-runner.ts';

test('what the bound has no room for is not begun, and what came before is there', async (t) => {
  const bytesMax = 16 * 2 ** 20;
  await using runner = await CommandRunner.open({ SLUICE_STORE_MAX_BYTES: String(bytesMax) });
  const noise = (i: number): string =>
    createHash('shake256', { outputLength: 384 * 1024 })
      .update(String(i))
      .digest('base64');
  const lines = Array.from({ length: 60 }, (_, i) => {
    const source = { '@timestamp': '2026-03-01T00:00:00Z', message: noise(i) };
    return `${JSON.stringify({ _index: 'logs-a-b', _id: testId(1, i), _source: source })}\n`;
  });
  const folder = await mkdtemp(join(tmpdir(), 'sluice-export-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'export.ndjson');
  await writeFile(path, lines.join(''));
  await assert.rejects(runner.run(run, ['import', path]), {
    code: 'store_refused',
    message: /^Cannot import more: the store has no room within SLUICE_STORE_MAX_BYTES \(16\.8 MB\), .*raise it/,
  });
  const found = (await runner.store.search({ order: 'oldest', limit: 100 })).length;
  assert(found > 10 && found < 60, `${found} documents`);
  const size = JSON.parse((await runner.run(run, ['size', '--json'])).stdout) as { used_bytes: number };
  assert(size.used_bytes < bytesMax, String(size.used_bytes));
});
