// Groups and measures over documents: several values, none, and more groups than there is memory for.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseQuery } from '#shared/store/query/parser.ts';
import { Aggregate, type Row } from '../../../services/sluice/search/aggregate.ts';
import { csvText, tableText } from '../../../services/sluice/search/table.ts';

function aggregated(query: string, documents: readonly Record<string, unknown>[]): Aggregate {
  const parsed = parseQuery(query, { nowMs: 0 });
  assert('stages' in parsed && parsed.stages[0]?.kind === 'stats', query);
  const aggregate = new Aggregate(parsed.stages[0].measures, parsed.stages[0].by);
  for (const document of documents) aggregate.add(document);
  return aggregate;
}

function check(query: string, documents: readonly Record<string, unknown>[], expected: readonly Row[]): void {
  assert.deepEqual(aggregated(query, documents).rows(), expected, query);
}

const of = (attributes: unknown) => ({ attributes });

test('groups', () => {
  check(
    '| count by a',
    [of({ a: 1 }), of({ a: '1' }), of({ a: 2 }), of({})],
    [
      { a: '1', count: 2 },
      { a: '2', count: 1 },
      { a: null, count: 1 },
    ],
  );
  check(
    '| count by a',
    [of({ a: [1, 2, [2]] }), of({ a: 2 })],
    [
      { a: '2', count: 2 },
      { a: '1', count: 1 },
    ],
  );
  check(
    '| count by a, b',
    [of({ a: [1, 2], b: 3 })],
    [
      { a: '1', b: '3', count: 1 },
      { a: '2', b: '3', count: 1 },
    ],
  );
  check(
    '| count by level, a, log.level',
    [{ ...of({ a: 1 }), log: { level: 'warn' } }],
    [{ 'log.level': 'warn', a: '1', count: 1 }],
  );
  check('| count by count', [of({ count: 7 })], [{ 'attributes.count': '7', count: 1 }]);
  check(
    '| count by __proto__',
    [{ attributes: JSON.parse('{"__proto__":1}') as unknown }],
    [
      Object.fromEntries([
        ['__proto__', '1'],
        ['count', 1],
      ]),
    ],
  );
  check(
    '| count by 1h',
    [{ '@timestamp': '2026-01-01T00:59:59.999999999Z' }, { '@timestamp': '1970-01-01T00:00:00Z' }, {}].slice(0, 1),
    [{ '@timestamp': '2026-01-01T00:00:00Z', count: 1 }],
  );
});

test('measures', () => {
  const documents = [of({ x: 1 }), of({ x: [2, 3] }), of({ x: '4' }), of({ x: 'five' }), of({})];
  check('| stats count, count(x), sum(x), avg(x), min(x), max(x), p75(x), uniq(x)', documents, [
    { count: 5, 'count(x)': 5, 'sum(x)': 10, 'avg(x)': 2.5, 'min(x)': 1, 'max(x)': 4, 'p75(x)': 3, 'uniq(x)': 5 },
  ]);
  check('| stats avg(x), count', [], [{ 'avg(x)': null, count: 0 }]);
});

test('more groups than are kept: their documents are counted as left out', () => {
  const aggregate = aggregated(
    '| count by a',
    Array.from({ length: 50_010 }, (_, i) => of({ a: i })),
  );
  assert.deepEqual([aggregate.rows().length, aggregate.leftOut], [50_000, 10]);
});

test('long names and values are kept in bounded memory', () => {
  const long = 'x'.repeat(8000);
  const documents = Array.from({ length: 20_000 }, (_, i) => of({ a: `${i}${long}` }));
  const names = aggregated('| count by a', documents);
  assert(names.leftOut > 1000 && names.rows().length > 10_000, String(names.leftOut));
  const values = aggregated('| stats uniq(a)', documents);
  assert(values.isCut && Number(values.rows()[0]?.['uniq(a)']) > 10_000);
});

test('as text', () => {
  const rows: Row[] = [
    { name: 'a,"b"\nc', n: 0.1 + 0.2, count: 8 },
    { name: '=1+1', n: null, count: 1 },
    { name: '-5', n: -5, count: 0 },
  ];
  const columns = ['name', 'n', 'count'];
  assert.equal(csvText(columns, rows, true), `name,n,count\n"a,""b""\nc",${0.1 + 0.2},8\n'=1+1,,1\n-5,-5,0\n`);
  assert.equal(
    tableText(columns, rows, true),
    [
      'name            n  count',
      `a,"b"\\u000ac  0.3      8  ${'█'.repeat(40)}`,
      `=1+1            -      1  ${'█'.repeat(5)}`,
      '-5             -5      0',
      '',
    ].join('\n'),
  );
});
