// The linter's rules of layers bite: each violation that is planted in a tree of its own is told, and what is allowed is not.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../..');
const RULES = /eslint\((no-restricted-(?:imports|globals|properties))\)/g;

const FORWARDER = 'services/forwarder/accept';
const INDEXER = 'services/indexer/bulk';
const DECODE = 'services/forwarder/decode';
const PARSE = 'services/indexer/parse';
const IMPORTS = 'no-restricted-imports';

type Planted = readonly [folder: string, line: string, rule: string | null];

const planted: readonly Planted[] = [
  [FORWARDER, "import '#indexer/ledger.ts';", IMPORTS],
  [FORWARDER, "import '#indexer/bulk/writer.ts';", IMPORTS],
  [FORWARDER, "import '../../indexer/bulk/writer.ts';", IMPORTS],
  [FORWARDER, "import '#test/memory/clock.ts';", IMPORTS],
  [FORWARDER, "import '../../../test/memory/clock.ts';", IMPORTS],
  [FORWARDER, "import 'kafkajs';", IMPORTS],
  [FORWARDER, "import '../decode/entries.ts';", null],
  [FORWARDER, 'export const now = Date.now();', null],
  [INDEXER, "import '#forwarder/accept/forward-server.ts';", IMPORTS],
  [INDEXER, "import '../../forwarder/accept/forward-server.ts';", IMPORTS],
  [INDEXER, "import '#shared/record/record.ts';", null],
  ['shared/queue', "import '#forwarder/accept/forward-server.ts';", IMPORTS],
  ['shared/queue', "import '../../services/indexer/ledger.ts';", IMPORTS],
  ['shared/queue', "import '#test/memory/clock.ts';", IMPORTS],
  ['shared/queue', "import 'node:fs';", null],
  ...[DECODE, PARSE, 'shared/msgpack', 'shared/record'].flatMap((folder): Planted[] => [
    [folder, "import 'node:fs';", IMPORTS],
    [folder, "import 'node:fs/promises';", IMPORTS],
    [folder, "import 'node:timers/promises';", IMPORTS],
    [folder, "import '#shared/clock.ts';", IMPORTS],
    [folder, 'export const now = Date.now();', 'no-restricted-properties'],
    [folder, 'export const dice = Math.random();', 'no-restricted-properties'],
    [folder, 'setTimeout(() => 0);', 'no-restricted-globals'],
    [folder, 'export const later = Promise.resolve();', 'no-restricted-globals'],
    [folder, "import 'node:buffer';", null],
  ]),
  [DECODE, "import '#indexer/parse/json-value.ts';", IMPORTS],
  [PARSE, "import '#forwarder/decode/entries.ts';", IMPORTS],
];

test('each planted violation of a layer is told', async (t) => {
  const tree = await mkdtemp(join(tmpdir(), 'sluice-layers-'));
  t.after(() => rm(tree, { recursive: true }));
  await cp(join(root, '.oxlintrc.json'), join(tree, '.oxlintrc.json'));
  const files = planted.map(([folder], number) => join(folder, `planted-${number}.ts`));
  for (const [number, file] of files.entries()) {
    await mkdir(dirname(join(tree, file)), { recursive: true });
    await writeFile(join(tree, file), `${planted[number]?.[1]}\n`);
  }
  const found = await lint(tree);
  for (const [number, [folder, line, rule]] of planted.entries())
    assert.deepEqual(found.get(files[number] ?? '') ?? [], rule === null ? [] : [rule], `${folder}: ${line}`);
});

/** Rules that are broken, by file. */
async function lint(tree: string): Promise<Map<string, string[]>> {
  const output = await new Promise<string>((resolve) => {
    // It exits with 1 where it finds something.
    execFile('oxlint', ['--format', 'unix', '.'], { cwd: tree, maxBuffer: 1e7 }, (_, stdout) => resolve(stdout));
  });
  const found = new Map<string, string[]>();
  for (const line of output.split('\n')) {
    const file = /^(.+?):\d+:\d+:/.exec(line)?.[1]?.replace(/^\.\//, '');
    if (file === undefined) continue;
    for (const [, rule = ''] of line.matchAll(RULES)) found.set(file, [...(found.get(file) ?? []), rule]);
  }
  return found;
}
