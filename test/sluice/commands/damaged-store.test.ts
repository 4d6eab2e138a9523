// A block that is damaged may hold what somebody looks for, or wants erased: each command says so.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import { openStore } from '#shared/open/open-store.ts';
import { bulkRequest, testId } from '#test/contract/store-bodies.ts';
import { run as erase } from '../../../services/sluice/commands/erase.ts';
import { run as logs } from '../../../services/sluice/commands/logs.ts';
import { run as search } from '../../../services/sluice/commands/search.ts';
import { Page } from '../command-runner.ts';

const PAGE_BYTES = 4096;
let folder = '';
const configOf = () => loadConfig({ env: { SLUICE_DATA_DIR: folder }, file: undefined, readFile: () => '' });

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-damaged-'));
  const store = await openStore(configOf());
  const document = { '@timestamp': '2026-03-01T12:00:00Z', message: 'secret', tenant: { id: 'acme' } };
  await store.bulk(bulkRequest([{ id: testId(1, 0), index: 'logs-sluice-default', document }]));
  await store[Symbol.asyncDispose]();
  const file = join(folder, 'store', 'documents.sqlite');
  const database = new DatabaseSync(file);
  database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  const page = database.prepare("SELECT pageno FROM dbstat WHERE name = 'parts' AND pagetype = 'leaf'").get();
  database.close();
  const bytes = await readFile(file);
  // The end of the page has the block's head, which has a seal.
  const at = Number(page?.['pageno']) * PAGE_BYTES - 20;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await writeFile(file, bytes);
});
after(() => rm(folder, { recursive: true }));

for (const [name, command, args, code] of [
  ['search', search, ['secret'], 0],
  ['logs', logs, [], 0],
  ['erase', erase, ['--query', 'secret', '--yes'], 1],
  ['a dry run of erase', erase, ['--query', 'secret'], 0],
] as const)
  test(`${name} tells that documents can't be read`, async () => {
    const [stdout, stderr] = [new Page(), new Page()];
    const { signal } = new AbortController();
    const context = { config: configOf(), stdout, stderr, signal, clock: systemClock };
    assert.equal(await command([...args], context), code);
    assert.match(stderr.text, /Cannot read some documents/);
    assert.doesNotMatch(stdout.text, /secret/);
  });
