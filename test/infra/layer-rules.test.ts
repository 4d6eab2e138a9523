// The linter's rules of layers bite: each violation that is planted in a tree of its own is told with its reason, and
// what is allowed is not. test/tidy/ holds the same layers over every form of import; the linter tells it in the
// editor.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../..');
/** Rules that concern layers; all others may say of a planted line what they like. */
const RULES = /\b(no-restricted-(imports|globals|properties)|no-async-await|no-cycle)\b/;

const APART = 'never import each other';
const NO_SERVICE = 'shared/ knows no service';
const NO_COMMAND = 'a service knows no command';
const NO_TEST = 'what is shipped knows no test';
const PURE = 'codecs are pure: no files';
const CALLER = 'codecs are pure: the caller has';

/** What is told contains `told`; null if nothing is. */
type Planted = readonly [file: string, line: string, told: string | null];

function at(folder: string, ...lines: readonly (readonly [line: string, told: string | null])[]): Planted[] {
  return lines.map(([line, told], number) => [`${folder}/planted-${number}.ts`, line, told]);
}

function inFile(file: string, line: string, told: string | null): Planted {
  return [file, line, told];
}

const pureLayers = [
  'services/forwarder/decode',
  'services/forwarder/dialects/loki',
  'services/indexer/parse',
  'services/indexer/json',
  'shared/msgpack',
  'shared/record',
];

const planted: readonly Planted[] = [
  ...at(
    'services/forwarder/accept',
    ["import '#indexer/settle/ledger.ts';", APART],
    ["import '#indexer/bulk/writer.ts';", APART],
    ["import '../../indexer/bulk/writer.ts';", APART],
    ["import type { Writer } from '../../indexer/bulk/writer.ts';", APART],
    ["export * from '../../indexer/bulk/writer.ts';", APART],
    ["import '#lambda/context.ts';", NO_COMMAND],
    ["import '../../sluice/command.ts';", NO_COMMAND],
    ["import '#test/memory/clock.ts';", NO_COMMAND],
    ["import '../../../test/memory/clock.ts';", NO_COMMAND],
    ["import 'kafkajs';", 'knows Kafka'],
    ["import '../decode/entries.ts';", null],
    ['export const now = Date.now();', null],
  ),
  ...at(
    'services/indexer/poison',
    ["import '#forwarder/accept/forward/forward-server.ts';", APART],
    ["import '../../forwarder/accept/forward-server.ts';", APART],
    ["import '../../lambda/context.ts';", NO_COMMAND],
    ["import '@elastic/elasticsearch';", 'knows Elasticsearch'],
    ["import '#shared/record/record.ts';", null],
  ),
  ...['shared/queue', 'shared/queue/kafka', 'shared/store/elasticsearch'].flatMap((folder) =>
    at(
      folder,
      ["import '#forwarder/accept/forward/forward-server.ts';", NO_SERVICE],
      ["import '../../services/indexer/settle/ledger.ts';", NO_SERVICE],
      ["import '#test/memory/clock.ts';", NO_SERVICE],
      ["import 'prom-client';", 'knows the registry'],
      ["import 'node:fs';", null],
    ),
  ),
  inFile('shared/queue/kafka/kafkajs/planted.ts', "import 'kafkajs';", null),
  inFile('shared/store/elasticsearch/connection.ts', "import '#forwarder/main.ts';", NO_SERVICE),
  inFile('shared/log.ts', "import '#indexer/shells/main.ts';", NO_SERVICE),
  ...at(
    'services/sluice/commands',
    ["import '#test/memory/clock.ts';", NO_TEST],
    ["import '../../../test/memory/clock.ts';", NO_TEST],
    ["import 'pino';", 'knows the logger'],
    ["import '#forwarder/main.ts';", null],
  ),
  ...pureLayers.flatMap((folder) =>
    at(
      folder,
      ["import 'node:fs';", PURE],
      ["import 'node:fs/promises';", PURE],
      ["import 'fs';", PURE],
      ["import 'node:net';", PURE],
      ["import 'node:http';", PURE],
      ["import 'node:child_process';", PURE],
      ["import 'node:worker_threads';", PURE],
      ["import 'node:timers/promises';", PURE],
      ["import '#shared/clock.ts';", PURE],
      ["import '../../shared/clock.ts';", PURE],
      ["import { randomBytes } from 'node:crypto';", CALLER],
      ["import { gunzip } from 'node:zlib';", PURE],
      ['export const now = Date.now();', CALLER],
      ['export const dice = Math.random();', CALLER],
      ['export const late = AbortSignal.timeout(1);', CALLER],
      ['export const now = performance.now();', CALLER],
      ['export const dice = crypto.randomUUID();', CALLER],
      ['setTimeout(() => 0);', CALLER],
      ['globalThis.setImmediate(() => 0);', CALLER],
      ['export const later = Promise.resolve();', CALLER],
      ['export const home = process.env;', CALLER],
      ['export const later = async () => 0;', 'async'],
      ["import 'node:buffer';", null],
      ["import { hash } from 'node:crypto';", null],
      ['export const then = new Date(0);', null],
    ),
  ),
  inFile('services/indexer/settle/outcomes.ts', 'export const now = Date.now();', CALLER),
  inFile('services/indexer/commit/contiguous-offsets.ts', "import 'node:fs';", PURE),
  inFile('shared/store/words.ts', 'export const dice = Math.random();', CALLER),
  inFile('services/forwarder/dialects/otlp/route.ts', 'export const later = async () => 0;', null),
  inFile('services/forwarder/dialects/splunk/route.ts', "import '#indexer/settle/ledger.ts';", APART),
  inFile('services/forwarder/decode/apart.ts', "import '#indexer/parse/json-value.ts';", APART),
  inFile('services/indexer/parse/apart.ts', "import '../../forwarder/decode/entries.ts';", APART),
  inFile('shared/record/apart.ts', "import '../../services/forwarder/decode/entries.ts';", NO_SERVICE),
  inFile('services/indexer/circle-a.ts', "import './circle-b.ts';", 'cycle'),
  inFile('services/indexer/circle-b.ts', "import type { A } from './circle-a.ts'; export type B = A;", 'cycle'),
];

test('each planted violation of a layer is told, with its reason', async (t) => {
  const tree = await mkdtemp(join(tmpdir(), 'sluice-layers-'));
  t.after(() => rm(tree, { recursive: true }));
  await cp(join(root, '.oxlintrc.json'), join(tree, '.oxlintrc.json'));
  assert.equal(new Set(planted.map(([file]) => file)).size, planted.length, 'one plant a file');
  for (const [file, line] of planted) {
    await mkdir(dirname(join(tree, file)), { recursive: true });
    await writeFile(join(tree, file), `${line}\n`);
  }
  const found = await lint(tree);
  const problems = planted.flatMap(([file, line, told]) => {
    const telling = found.get(file) ?? [];
    const isRight = told === null ? telling.length === 0 : telling.length === 1 && telling[0]?.includes(told);
    return isRight ? [] : [`${file}: ${line}: ${telling.join(' | ') || 'nothing told'}`];
  });
  assert.equal(problems.join('\n'), '');
});

interface Report {
  readonly diagnostics: readonly { code: string; message: string; help?: string; filename: string }[];
}

/** What is told of each file. */
async function lint(tree: string): Promise<Map<string, string[]>> {
  const output = await new Promise<string>((resolve) => {
    // It exits with 1 where it finds something.
    execFile('oxlint', ['--format', 'json', '.'], { cwd: tree, maxBuffer: 1e7 }, (_, stdout) => resolve(stdout));
  });
  const found = new Map<string, string[]>();
  for (const { code, message, help, filename } of (JSON.parse(output) as Report).diagnostics) {
    if (RULES.test(code)) found.set(filename, [...(found.get(filename) ?? []), `${code} ${message} ${help ?? ''}`]);
  }
  return found;
}
