// `sluice store`: what it says of sizes and of damage, and that an export that is imported elsewhere is the same store.

import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { suite, test, type TestContext } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { loadConfig } from '#shared/config/load.ts';
import type { Store } from '#shared/store/store.ts';
import { bulkRequest, testId } from '#test/contract/store-bodies.ts';
import { run } from '../../../services/sluice/store/store.ts';
import { CommandRunner } from '../command-runner.ts';

interface Held {
  readonly id: string;
  readonly source: unknown;
}

/** In the order of the store, and by arrival. */
async function documentsOf(store: Store): Promise<Held[][]> {
  const pages = await Promise.all(
    [{}, { by: 'arrival' as const }].map((by) => store.search({ order: 'oldest', limit: 100_000, ...by })),
  );
  return pages.map((found) => found.map(({ id, source }) => ({ id, source })));
}

async function fileOf(t: TestContext, content: string | Uint8Array, name = 'export.ndjson'): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-export-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

/** Documents of one time and one sequence, so that only their order of arrival tells them apart; and odd ones. */
async function fill(store: Store): Promise<void> {
  const sources = [
    '{"@timestamp":"2026-03-01T00:00:00Z","message":"numbers","n":[1.0,12345678901234567890,-0,1e400]}',
    '{"@timestamp":"2026-03-01T00:00:00Z","10":1,"9":2,"message":"keys \\u0041\\/ \u2028"}',
    `{"@timestamp":"2026-03-01T00:00:00Z","message":${JSON.stringify('large '.repeat(1_500_000))}}`,
    '{ "@timestamp" : "2099-03-01T00:00:00.123456789Z", "message" : "of the future" }',
  ];
  const documents = [
    ...Array.from({ length: 700 }, (_, i) =>
      JSON.stringify({ '@timestamp': '2026-03-01T00:00:00Z', message: `tie ${i}`, container: { name: `c${i % 3}` } }),
    ),
    ...sources,
  ];
  for (let from = 0; from < documents.length; from += 100) {
    const some = documents.slice(from, from + 100);
    const stream = from % 200 === 0 ? 'logs-sluice-default' : 'logs-sluice.other-default';
    // Ids count down: their order says nothing of the order of arrival.
    const items = some.map((document, i) => ({ id: testId(9999 - from, 99 - i), index: stream, document }));
    for (const { status } of await store.bulk(bulkRequest(items))) assert.equal(status, 201);
  }
}

suite('export and import', () => {
  test('an empty store gets the same documents in the same order; a second time adds nothing', async (t) => {
    await using one = await CommandRunner.open();
    await using other = await CommandRunner.open();
    await fill(one.store);
    const exported = await one.run(run, ['export']);
    assert.equal(exported.code, 0);
    assert.equal(exported.stderr, 'sluice: 704 documents exported\n');
    const path = await fileOf(t, exported.stdout);
    const imported = await other.run(run, ['import', path, '--json']);
    assert.equal(imported.stdout, '{"documents":704,"already_there":0,"refused":0}\n');
    assert.equal(imported.code, 0);
    assert.deepEqual(await documentsOf(other.store), await documentsOf(one.store));
    assert.equal((await other.run(run, ['export'])).stdout, exported.stdout);
    for (const [name, content] of [
      ['again.ndjson', exported.stdout],
      ['again.ndjson.gz', gzipSync(exported.stdout)],
      ['again.ndjson.zst', zstdCompressSync(exported.stdout)],
    ] as const) {
      const again = await other.run(run, ['import', await fileOf(t, content, name)]);
      assert.equal(again.stdout, '0 documents imported, 704 already there, 0 refused\n');
      assert.equal(again.code, 0);
    }
    assert.equal((await other.run(run, ['verify'])).code, 0);
  });

  test('only what is asked for', async () => {
    await using runner = await CommandRunner.open();
    await fill(runner.store);
    const count = async (...args: string[]): Promise<number> =>
      (await runner.run(run, ['export', ...args])).stdout.split('\n').length - 1;
    assert.equal(await count('--since', '2027-01-01T00:00:00Z'), 1);
    assert.equal(await count('--until', '2026-03-01T00:00:00Z'), 0);
    assert.equal(await count('--where', 'container:c1 tie'), 233);
    assert.equal(await count('--where', 'nothing'), 0);
    for (const args of [['--where', 'a | count'], ['--where', '(a'], ['--since', 'x'], ['--until'], ['x']])
      await assert.rejects(runner.run(run, ['export', ...args]), args.join(' '));
  });

  test('what cannot be taken is told with its line, and costs itself only', async (t) => {
    await using runner = await CommandRunner.open();
    const good = (id: string) => `{"_index":"logs-a-b","_id":"${id}","_source":{"@timestamp":"2026-03-01T00:00:00Z"}}`;
    const timeless = '{"_index":"logs-a-b","_id":"t","_source":{"message":"a"}}';
    const path = await fileOf(t, `${good('a')}\n\nno json\n${timeless}\n${good('b')}\r\n${good('c').slice(0, -9)}`);
    const { code, stdout, stderr } = await runner.run(run, ['import', path]);
    assert.equal(code, 1);
    assert.equal(stdout, '2 documents imported, 0 already there, 3 refused\n');
    assert.equal(
      stderr.replaceAll(path, 'F'),
      'sluice: F:3 is refused: it is no JSON\nsluice: F:6 is refused: it is no JSON\n' +
        'sluice: F:4 is refused: the document has no @timestamp that can be read\n',
    );
    const torn = await fileOf(t, gzipSync(`${good('d')}\n`.repeat(100)).subarray(0, -9), 'torn.gz');
    await assert.rejects(runner.run(run, ['import', torn]), {
      message: /^Cannot import .*torn\.gz: .*; what came before is there$/,
    });
    for (const args of [[], ['/nowhere'], ['/tmp'], ['--x']])
      await assert.rejects(runner.run(run, ['import', ...args]));
  });

  test('a damaged block is left out, told, and not taken for success', async () => {
    await using runner = await CommandRunner.open();
    await fill(runner.store);
    damage(
      runner,
      "UPDATE parts SET data = CAST(data || x'00' AS BLOB) WHERE id = (SELECT max(id) / 1024 * 1024 + 1 FROM parts)",
    );
    const { code, stderr, stdout } = await runner.run(run, ['export']);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^sluice: Cannot read some documents .*: block \d+ .*\nsluice: \d+ documents exported\. Some cannot be read\n$/,
    );
    assert(stdout.split('\n').length > 100);
  });

  test('neither is an interrupt', async () => {
    await using runner = await CommandRunner.open();
    await fill(runner.store);
    const { exit, stop, stderr } = runner.start(run, ['export']);
    stop();
    assert.equal(await exit, 1);
    assert.match(stderr.text, /It was stopped; these are not all/);
  });
});

function damage(runner: CommandRunner, sql: string): void {
  const file = new DatabaseSync(join(runner.config['data.dir'], 'store', 'documents.sqlite'), { timeout: 10_000 });
  file.exec(sql);
  file.close();
}

suite('verify', () => {
  test('says that all is whole', async () => {
    await using runner = await CommandRunner.open();
    await fill(runner.store);
    const { code, stdout } = await runner.run(run, ['verify']);
    assert.match(stdout, /^\d+ blocks, 704 documents: all whole\n$/);
    assert.equal(code, 0);
  });

  const check = (name: string, sql: string, expected: RegExp) =>
    test(name, async () => {
      await using runner = await CommandRunner.open();
      await fill(runner.store);
      const last = '(SELECT max(id) FROM blocks)';
      damage(runner, sql.replaceAll('LAST', last));
      const { code, stdout } = await runner.run(run, ['verify']);
      assert.match(stdout, expected);
      assert.equal(code, 1);
      const { stdout: json } = await runner.run(run, ['verify', '--json']);
      const { damaged_blocks: blocks, file_damage: file } = JSON.parse(json) as Record<string, unknown>;
      assert(blocks === 1 || (file as unknown[]).length === 1, json);
    });
  const flipped = "CAST(substr(data, 1, 40) || x'55' || substr(data, 42) AS BLOB)";
  check(
    'names a block with a flipped byte',
    `UPDATE parts SET data = ${flipped} WHERE id = LAST * 1024 + 1`,
    /^Block \d+, \d+ documents of \S+ to \S+: .*checksum of part 1.*\n1 of \d+ blocks, 704 .* are damaged, /s,
  );
  check(
    'one with a part that is gone',
    'DELETE FROM parts WHERE id = LAST * 1024 + 1',
    /^Block \d+,.*part 1 is missing/,
  );
  check(
    'one whose row was changed',
    'UPDATE blocks SET time_max = time_max - 1 WHERE id = LAST',
    /^Block \d+,.*its row/,
  );
  check(
    'one without a name',
    'DELETE FROM names WHERE (batch, first) IN (SELECT batch, first FROM names LIMIT 1)',
    /^Block \d+,.* have no name/,
  );
  check(
    'counts that are wrong',
    'UPDATE origins SET documents = documents - 1 WHERE rowid = 1',
    /^1 documents are missing in the counts/,
  );
});

suite('sizes', () => {
  test('by stream and container, the greatest first', async () => {
    await using runner = await CommandRunner.open();
    await runner.write(
      Array.from({ length: 301 }, (_, i) => {
        if (i === 300) return { fluentd: { tag: 'a\nforged  tag' }, message: 'y' };
        const isLoud = i % 3 === 0;
        return { container: { name: isLoud ? 'loud' : 'quiet' }, message: isLoud ? `${i} `.repeat(300) : 'x' };
      }),
    );
    const { code, stdout } = await runner.run(run, []);
    assert.equal(code, 0);
    assert.match(stdout, /^Documents {2}301 in \d+ blocks, .*\nTimes .*\nIndexed .*\nDisk {7}\S+ .B, 0 % of at most /);
    const rows = stdout.split('\n').filter((line) => /^ +\d/.test(line));
    assert.deepEqual(
      rows.map((row) => row.trim().split(/ {2,}/).at(-1)),
      ['logs-sluice-default', 'loud', 'quiet', 'a\\u000aforged  tag'].map((name) => name.split('  ').at(-1)),
    );
    const json = JSON.parse((await runner.run(run, ['sizes', '--json'])).stdout) as {
      documents: number;
      used_bytes: number;
      max_bytes: number;
      streams: { stream: string; documents: number; bytes: number }[];
      containers: { name: string; documents: number; bytes: number }[];
    };
    assert.deepEqual(
      json.containers.map(({ name, documents }) => [name, documents]),
      [
        ['loud', 100],
        ['quiet', 200],
        ['a\nforged  tag', 1],
      ],
    );
    const [loud, quiet] = json.containers;
    assert((loud?.bytes ?? 0) > 3 * (quiet?.bytes ?? 0));
    assert.equal(json.streams[0]?.documents, 301);
    assert((json.streams[0]?.bytes ?? 0) < json.used_bytes && json.max_bytes > json.used_bytes);
    assert.match((await runner.run(run, ['-n', '1'])).stdout, /\(2 more: -n all\)\n$/);
  });

  test('of nothing', async () => {
    await using runner = await CommandRunner.open();
    const { code, stdout } = await runner.run(run, ['size']);
    assert.equal(code, 0);
    assert.match(stdout, /^Documents {2}0 in 0 blocks/);
  });
});

suite('compact', () => {
  test('gives back what was deleted, and merges what is small', async () => {
    await using runner = await CommandRunner.open();
    for (let i = 0; i < 20; i++) await runner.write([{ message: `small ${i}` }]);
    await fill(runner.store);
    const file = join(runner.config['data.dir'], 'store', 'documents.sqlite');
    damage(
      runner,
      'CREATE TABLE ballast (data BLOB); INSERT INTO ballast VALUES (zeroblob(5000000)); DROP TABLE ballast',
    );
    const before = (await documentsOf(runner.store)).flat();
    const { code, stdout } = await runner.run(run, ['compact']);
    assert.equal(code, 0);
    assert.match(
      stdout,
      /^\S+ .B on the disk: \d+ blocks, .* free before, .* on the disk: \d+ blocks, .*, 0 bytes free now\n$/,
    );
    assert((await stat(file)).size < 4_000_000);
    assert.deepEqual((await documentsOf(runner.store)).flat(), before);
    assert.match((await runner.run(run, ['sizes'])).stdout, /in [1-9] blocks/);
    assert.equal((await runner.run(run, ['verify'])).code, 0);
  });
});

test('what is wrong with the command is said', async () => {
  await using runner = await CommandRunner.open();
  const context = runner.start(() => Promise.resolve(0), []);
  const elsewhere = loadConfig({ env: { SLUICE_ELASTICSEARCH_URL: 'http://127.0.0.1:1' }, readFile: () => '' });
  const nowhere = loadConfig({ env: { SLUICE_DATA_DIR: '/nowhere' }, readFile: () => '' });
  await assert.rejects(runner.run(run, ['shrink']), {
    code: 'usage_wrong',
    message: /"shrink" is none of sizes, compact/,
  });
  await assert.rejects(runner.run(run, ['__proto__']), { code: 'usage_wrong' });
  await assert.rejects(runner.run(run, ['sizes', '-n', 'x']), { code: 'usage_wrong' });
  for (const [config, code] of [
    [elsewhere, 'usage_wrong'],
    [nowhere, 'store_unavailable'],
  ] as const)
    for (const name of ['sizes', 'verify', 'export'])
      await assert.rejects(
        runner.run((args, own) => run(args, { ...own, config }), [name]),
        { code },
      );
  assert.equal(await context.exit, 0);
});
