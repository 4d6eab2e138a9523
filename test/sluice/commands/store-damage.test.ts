// `sluice store verify` and `sluice store export` with single numbers of the file changed: what is damaged is never
// taken for whole, and what is left out is told, whichever number it is.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { run } from '../../../services/sluice/store/store.ts';
import { CommandRunner } from '../command-runner.ts';

const SIZE = 100;

/** Three blocks. */
async function filled(): Promise<CommandRunner> {
  const runner = await CommandRunner.open();
  for (let block = 0; block < 3; block++)
    await runner.write(
      Array.from({ length: SIZE }, (_, i) => ({ message: `line ${block}.${i}` })),
      1.77e12 + block,
    );
  return runner;
}

function change(runner: CommandRunner, sql: string): void {
  const file = new DatabaseSync(join(runner.config['data.dir'], 'store', 'documents.sqlite'), {
    timeout: 10_000,
    defensive: false,
  });
  file.exec(sql);
  file.close();
}

test('a number in the row of a block', async () => {
  await using runner = await filled();
  change(runner, 'UPDATE blocks SET row_min = row_min | (1 << 30) WHERE id = 2');
  const verified = await runner.run(run, ['verify']);
  assert.match(
    verified.stdout,
    /^Block 2, 100 documents of \S+ to \S+: .*\(its row\)\n1 of 3 blocks, 300 documents are damaged, with 100 /,
  );
  assert.equal(verified.code, 1);
  for (const args of [[], ['--since', '2026-01-01T00:00:00Z'], ['--where', 'line']]) {
    const { code, stdout, stderr } = await runner.run(run, ['export', ...args]);
    assert.match(stderr, /block 2 of the .* damaged \(its row\).*\nsluice: 200 documents exported\. Some cannot/);
    assert.equal(code, 1);
    assert.equal(stdout.split('\n').length - 1, 2 * SIZE);
  }
});

test('an index of the list of blocks that lacks one of them', async () => {
  await using runner = await filled();
  change(
    runner,
    `PRAGMA writable_schema = ON;
    UPDATE sqlite_schema SET sql = replace(sql, '(row_max)', '(row_max) WHERE id <> 2') WHERE name = 'blocks_by_row';
    PRAGMA writable_schema = RESET; REINDEX blocks_by_row; PRAGMA writable_schema = ON;
    UPDATE sqlite_schema SET sql = replace(sql, ' WHERE id <> 2', '') WHERE name = 'blocks_by_row'`,
  );
  const verified = await runner.run(run, ['verify']);
  assert.match(verified.stdout, /The table blocks: row 2 missing from index blocks_by_row/);
  assert.equal(verified.code, 1);
  const { code, stderr } = await runner.run(run, ['export']);
  assert.match(stderr, /the list of blocks of the embedded store is damaged \(.*index blocks_by_row\)/);
  assert.equal(code, 1);
});

test('documents of which nobody knows where they come from: an import takes all of an export', async () => {
  await using runner = await filled();
  await using other = await CommandRunner.open();
  change(runner, 'DELETE FROM origins');
  const { code, stdout, stderr } = await runner.run(run, ['export']);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /exported as of logs-sluice\.origin_lost-default\nsluice: 300 documents exported\. Of 300, nobody/,
  );
  const path = join(runner.config['data.dir'], 'export.ndjson');
  await writeFile(path, stdout);
  const imported = await other.run(run, ['import', path]);
  assert.equal(imported.stdout, '300 documents imported, 0 already there, 0 refused\n');
  assert.equal((await other.run(run, ['export'])).stdout, stdout);
});
