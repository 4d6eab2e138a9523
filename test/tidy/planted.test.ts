// The rules of tidiness bite: each violation that is planted in a tree of its own is told, and what is allowed is not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testsWithoutAssertion } from './asserting.ts';
import { circularImports, twoWayFolders, unneeded } from './graph.ts';
import { environmentViolations, layerViolations } from './layers.ts';
import { type Measures, compare, lowered, measure } from './measures.ts';
import { IMPURE, purityViolations } from './purity.ts';
import { type Tree, treeOf } from './tree.ts';

/** One file with one line: what the rule tells of it, or null if it may be there. */
function check(rule: (tree: Tree) => string[], path: string, line: string, told: RegExp | null): void {
  const found = rule(treeOf({ [path]: line }));
  if (told === null) assert.deepEqual(found, [], `${path}: ${line}`);
  else assert.match(found.join('\n'), told, `${path}: ${line}`);
}

const ACCEPT = 'services/forwarder/accept/planted.ts';
const BULK = 'services/indexer/bulk/planted.ts';
const QUEUE = 'shared/queue/planted.ts';
const COMMAND = 'services/sluice/commands/planted.ts';
const APART = /never import each other/;

test('imports against the layers, by alias and by path, in every form', () => {
  const layer = (path: string, line: string, told: RegExp | null): void => check(layerViolations, path, line, told);
  layer(ACCEPT, "import '#indexer/settle/ledger.ts';", APART);
  layer(ACCEPT, "import '../../indexer/ledger.ts';", APART);
  layer(ACCEPT, "import '../../../services/indexer/ledger.ts';", APART);
  layer(ACCEPT, "import type { Ledger } from '#indexer/settle/ledger.ts';", APART);
  layer(ACCEPT, "export * from '#indexer/settle/ledger.ts';", APART);
  layer(ACCEPT, "export { Ledger } from '../../indexer/ledger.ts';", APART);
  layer(ACCEPT, "export const later = () => import('#indexer/settle/ledger.ts');", APART);
  layer(ACCEPT, "export type Later = import('../../indexer/ledger.ts').Ledger;", APART);
  layer(ACCEPT, "import '../../sluice/command.ts';", APART);
  layer(ACCEPT, "import '#lambda/context.ts';", APART);
  layer(ACCEPT, "import '#test/memory/clock.ts';", APART);
  layer(ACCEPT, "import '../../../test/memory/clock.ts';", APART);
  layer(ACCEPT, "import '../decode/entries.ts'; import '#shared/clock.ts'; import 'fastify'; import 'node:net';", null);
  layer(BULK, "import '#forwarder/intake/intake.ts';", APART);
  layer(BULK, "import '../../forwarder/intake.ts';", APART);
  layer(BULK, "export const later = () => import('../../forwarder/intake.ts');", APART);
  layer(BULK, "new Worker(new URL('../../forwarder/intake.ts', import.meta.url));", APART);
  layer(BULK, "import '../parse/entry.ts'; import '#shared/record/record.ts';", null);
  layer(QUEUE, "import '#forwarder/intake/intake.ts';", /knows no service/);
  layer(QUEUE, "import '../../services/indexer/settle/ledger.ts';", /knows no service/);
  layer(QUEUE, "import '#test/memory/clock.ts';", /knows no service/);
  layer(QUEUE, "import '../record/record.ts'; import '#shared/clock.ts';", null);
  layer(COMMAND, "import '#test/memory/clock.ts';", /knows no test/);
  layer(COMMAND, "import '../../../infra/build/bundle.ts';", /knows no test/);
  layer(COMMAND, "import '#forwarder/main.ts'; import '#indexer/shells/main.ts';", null);
});

test('clients, the log and the registry outside of the one place that knows them', () => {
  const layer = (path: string, line: string, told: RegExp | null): void => check(layerViolations, path, line, told);
  layer(QUEUE, "import 'kafkajs';", /one place knows kafkajs/);
  layer('shared/queue/kafka/planted.ts', "import 'kafkajs';", /one place knows kafkajs/);
  layer('shared/queue/kafka/kafkajs/planted.ts', "import 'kafkajs';", null);
  layer(COMMAND, "import '@elastic/elasticsearch';", /one place knows @elastic/);
  layer(COMMAND, "export const client = () => import('pino');", /one place knows pino/);
  layer(COMMAND, "import 'prom-client';", /one place knows prom-client/);
  layer(ACCEPT, "import type { Log } from '#shared/log.ts';", /only telemetry/);
  layer(ACCEPT, "import type { Metrics } from '../../../shared/metrics.ts';", /only telemetry/);
  layer(BULK, "import { createLog } from '#shared/log.ts';", /only telemetry/);
  layer('services/forwarder/telemetry.ts', "import type { Log } from '#shared/log.ts';", null);
});

test('arguments and the environment, read below the entries', () => {
  const told = /only services\/sluice and services\/lambda read/;
  for (const path of [ACCEPT, BULK, QUEUE]) {
    check(environmentViolations, path, "export const home = process.env['HOME'];", told);
    check(environmentViolations, path, 'export const { argv } = process;', told);
    check(environmentViolations, path, "import { env } from 'node:process'; export const home = env['HOME'];", told);
    check(environmentViolations, path, 'export const { pid } = process;', null);
  }
  check(environmentViolations, COMMAND, "export const home = process.env['HOME'];", null);
});

const PURE = [
  'services/forwarder/decode/planted.ts',
  'services/forwarder/dialects/loki/planted.ts',
  'services/indexer/parse/planted.ts',
  'services/indexer/json/planted.ts',
  'services/indexer/bulk/next-step.ts',
  'services/indexer/settle/outcomes.ts',
  'services/indexer/commit/contiguous-offsets.ts',
  'shared/msgpack/planted.ts',
  'shared/record/planted.ts',
  'shared/store/words.ts',
];

test('whatever is impure, in each pure layer', () => {
  const impure = [
    ...[
      'fs',
      'fs/promises',
      'net',
      'http',
      'child_process',
      'worker_threads',
      'timers/promises',
      'perf_hooks',
      'stream',
    ].map((module) => `import 'node:${module}';`),
    "import 'fs';",
    "import 'fastify';",
    "export * from 'node:fs';",
    "export const fs = import('node:fs');",
    "export const fs = process.getBuiltinModule('fs');",
    "import { randomBytes } from 'node:crypto';",
    "import * as crypto from 'node:crypto';",
    "import { gunzip } from 'node:zlib';",
    'export const now = Date.now();',
    'export const now = new Date();',
    'export const now = Date();',
    "export const now = Date['now']();",
    'export const { now } = Date;',
    'export const { setTimeout: after } = globalThis;',
    'export const now = performance.now();',
    'export const now = globalThis.performance.now();',
    'export const dice = Math.random();',
    'export const dice = crypto.randomUUID();',
    'setTimeout(() => 0);',
    'setImmediate(() => 0);',
    'queueMicrotask(() => 0);',
    'export const late = AbortSignal.timeout(1);',
    'export const later = Promise.resolve();',
    'export const later = new Promise(() => 0);',
    'export async function later() {}',
    'export const later = async () => 0;',
    'await 0;',
    'export const home = process.env;',
  ];
  for (const path of PURE) {
    for (const line of impure) check(purityViolations, path, line, /this layer is pure/);
    check(purityViolations, path, "import { hash } from 'node:crypto'; import assert from 'node:assert/strict';", null);
    check(purityViolations, path, "import { crc32 } from 'node:zlib'; import { isUtf8 } from 'node:buffer';", null);
    check(purityViolations, path, 'export const then = new Date(0);', null);
    check(purityViolations, path, "import type { Socket } from 'node:net';", null);
  }
});

test('what is impure does not come in by a neighbour, be it three files away', () => {
  const chain = (importing: string): string[] =>
    purityViolations(
      treeOf({
        'services/indexer/parse/a.ts': "import '#shared/b.ts';",
        'shared/b.ts': `${importing} './c.ts';`,
        'shared/c.ts': "import 'node:fs';",
      }),
    );
  assert.match(chain('import').join('\n'), /^shared\/c\.ts:1: import of node:fs: this layer is pure/);
  assert.deepEqual(chain('import type { C } from'), []);
});

test('the list of the impure names single files, each with its reason', () => {
  for (const [path, reason] of Object.entries(IMPURE)) assert.match(`${path} ${reason}`, /\.ts \S+ \S+/);
});

test('circles, of types too', () => {
  const circle = (back: string): string[] =>
    circularImports(
      treeOf({ 'shared/a.ts': "import './b.ts';", 'shared/b.ts': "import './c.ts';", 'shared/c.ts': back }),
    );
  assert.deepEqual(circle(''), []);
  for (const back of [
    "import './a.ts';",
    "import type { A } from '#shared/a.ts';",
    "export type A = import('./a.ts').A;",
  ]) {
    assert.deepEqual(circle(back), [
      'shared/a.ts -> shared/b.ts',
      'shared/b.ts -> shared/c.ts',
      'shared/c.ts -> shared/a.ts',
    ]);
  }
});

test('folders of a service that import each other', () => {
  const pair = (back: string): [string, number][] => [
    ...twoWayFolders(treeOf({ 'shared/a/1.ts': "import '../b/2.ts';", 'shared/b/2.ts': '', 'shared/b/3.ts': back })),
  ];
  assert.deepEqual(pair(''), []);
  assert.deepEqual(pair("import '#shared/a/1.ts';"), [['shared/a <-> shared/b', 1]]);
});

test('files that nobody needs, or tests alone', () => {
  const isEntry = (path: string): boolean => path === 'services/main.ts' || path.endsWith('.test.ts');
  const needed = (main: string): string[] =>
    unneeded(
      treeOf({
        'services/main.ts': main,
        'services/a.ts': '',
        'test/a.test.ts': "import '../services/a.ts';",
        'test/b.ts': '',
      }),
      isEntry,
    );
  assert.deepEqual(needed("import './a.ts';"), ['test/b.ts: nobody imports it']);
  assert.deepEqual(needed("new Worker(new URL('./a.ts', import.meta.url));"), ['test/b.ts: nobody imports it']);
  assert.deepEqual(needed(''), ['services/a.ts: only tests import it', 'test/b.ts: nobody imports it']);
});

test('tests that assert nothing', () => {
  const path = 'test/planted.test.ts';
  const asserting = (line: string, told: RegExp | null): void =>
    check(testsWithoutAssertion, path, `import { test } from 'node:test'; ${line}`, told);
  asserting("test('a', () => { run(); }); // assert.ok(true)", /no test asserts/);
  asserting("test('a', () => { run('assert.ok()'); });", /no test asserts/);
  asserting("test.only('a', () => assert.ok(run()));", /\.only hides/);
  asserting("test('a', () => assert.ok(run()));", null);
  asserting("test('a', (t) => t.assert.ok(run()));", null);
  asserting("test('a', () => fc.assert(property));", null);
  check(testsWithoutAssertion, path, 'assert.ok(true);', /has no test/);
});

/** A file of so many lines, within a function of all but two of them. */
const file = (lines: number): string => `function long() {\n${'  0;\n'.repeat(lines - 2)}}\n`;
const measured = (texts: Readonly<Record<string, string>>): string[] => compare(measure(treeOf(texts)), {});

test('what is too long, too wide, too full', () => {
  const wide = (columns: number): string => `// ${'é'.repeat(columns - 3)}\nexport {};\n${'0;\n'.repeat(20)}`;
  assert.deepEqual(measured({ 'shared/a.ts': wide(120) }), []);
  assert.match(measured({ 'shared/a.ts': wide(121) }).join(), /^shared: 1 lines of more than 120 columns/);
  assert.deepEqual(measured({ 'test/a.ts': '0;\n'.repeat(300) }), []);
  assert.match(measured({ 'test/a.ts': '0;\n'.repeat(301) }).join(), /^test\/a\.ts: 301 lines, at most 300/);
  assert.deepEqual(measured({ 'test/a.ts': file(60) }), []);
  assert.match(measured({ 'test/a.ts': file(61) }).join(), /^test\/a\.ts long: 61 lines, at most 60/);
  const suite = (name: string): string => `${name}('much', () => {\n${'  0;\n'.repeat(60)}});\n`;
  assert.deepEqual(measured({ 'test/a.ts': suite('describe') }), []);
  assert.match(measured({ 'test/a.ts': suite('test') }).join(), /^test\/a\.ts test\('much'\): 62 lines, at most 60/);
  const folder = (files: number): Record<string, string> =>
    Object.fromEntries(Array.from({ length: files }, (_, number) => [`test/full/${number}.ts`, '']));
  assert.deepEqual(measured(folder(16)), []);
  assert.match(measured(folder(17)).join(), /^test\/full: 17 files, at most 16/);
  assert.match(measured({ 'shared/a.ts': '// why\n0;\n' }).join(), /: 50 percent of the lines are comments/);
});

test('the list of exceptions only shrinks', () => {
  const now = (lines: number): Measures => measure(treeOf({ 'test/a.ts': '0;\n'.repeat(lines) }));
  const list = (lines: number): Measures => ({ fileLines: { 'test/a.ts': lines } });
  assert.deepEqual(compare(now(350), list(350)), []);
  assert.match(compare(now(351), list(350)).join(), /it had 350, and must not grow/);
  assert.deepEqual(compare(now(310), list(350)), []);
  assert.match(compare(now(300), list(350)).join(), /needs no exception to fileLines any more/);
  assert.match(compare(now(1), { fileLines: { 'test/gone.ts': 400 } }).join(), /test\/gone\.ts: needs no exception/);
  assert.deepEqual(lowered(now(310), list(350))['fileLines'], { 'test/a.ts': 310 });
  assert.deepEqual(lowered(now(400), list(350))['fileLines'], { 'test/a.ts': 350 });
  assert.deepEqual(lowered(now(300), list(350))['fileLines'], {});
  assert.deepEqual(lowered(now(400), {})['fileLines'], {});
});
