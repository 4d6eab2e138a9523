// A tree of a query as JSON: what comes back is the tree, of every query; and nothing else comes back as one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { SluiceError } from '#shared/errors.ts';
import { parseQuery } from '#shared/store/query/parser.ts';
import { whereJson, whereOfJson } from '#shared/store/query/where-json.ts';
import type { Where } from '#shared/store/where.ts';
import { queries } from '#test/contract/store/generated-queries.ts';

const OPTIONS = { nowMs: Date.UTC(2026, 2, 1) };

/** Without what only says where it was written, and what a name means too. */
function plain(where: Where): unknown {
  if ('field' in where) {
    const { at: _, field, ...rest } = where;
    const { also: __, ...own } = field;
    return { ...rest, field: own };
  }
  if (where.kind === 'not') return { ...where, node: plain(where.node) };
  return 'nodes' in where ? { ...where, nodes: where.nodes.map(plain) } : where;
}

function returned(where: Where): Where {
  return whereOfJson(JSON.parse(JSON.stringify(whereJson(where))));
}

test('every query comes back', () => {
  let trees = 0;
  const check = (text: string): void => {
    const parsed = parseQuery(text, OPTIONS);
    if ('mistake' in parsed) return;
    trees += 1;
    assert.deepEqual(plain(returned(parsed.where)), plain(parsed.where), text);
  };
  fc.assert(fc.property(queries, check), { numRuns: 2000 });
  assert(trees > 1000, String(trees));
  for (const text of [
    '',
    String.raw`container:a\*b*c\\d  url:"a*b"`,
    'client.ip:10.* client.ip:2001:db8::/32',
    '@timestamp>=now-999999999w time<9999-12-31',
    'status:[* TO 5] took:{1 TO *} event.sequence:5',
    'message:"by pe *" "\u{1F600} x*" größe:"\ud800"',
    `${'('.repeat(50)}a${')'.repeat(50)}`,
    `${'NOT '.repeat(50)}a`,
    `status:(${'1 '.repeat(500)})`,
    String.raw`odd\ key\:x:1 attributes:x kubernetes.labels.a.b/c:*`,
  ])
    check(text);
});

test('what is no tree is an error that says so', () => {
  const check = (json: unknown): void =>
    assert.throws(
      () => whereOfJson(json),
      (error) => error instanceof SluiceError && error.code === 'query_wrong',
      inspect(json, { maxStringLength: 100 }),
    );
  const within = (times: number, node: unknown): unknown => {
    let deep = node;
    for (let i = 0; i < times; i++) deep = { kind: 'not', node: deep };
    return deep;
  };
  const deep = within(201, { kind: 'all' });
  const leaf = { kind: 'exists', field: 'attributes.a' };
  const all = { kind: 'all' };
  const joined = { kind: 'and', nodes: Array.from({ length: 9 }, () => ({ kind: 'not', node: leaf })) };
  for (const json of [
    undefined,
    null,
    1,
    'all',
    [],
    {},
    { kind: 'none' },
    { kind: 'not' },
    { kind: 'and' },
    { kind: 'or', nodes: [] },
    deep,
    { kind: 'and', nodes: Array.from({ length: 1101 }, () => leaf) },
    { kind: 'or', nodes: Array.from({ length: 1101 }, () => all) },
    { kind: 'and', nodes: Array.from({ length: 100 }, () => within(100, joined)) },
    { kind: 'numbers', field: 'attributes.a', from: { number: `${'0'.repeat(50_000)}1` } },
    { kind: 'exists', field: ['attributes.a'] },
    { kind: 'exists', field: within(100_000, 'attributes.a') },
    { kind: 'words', text: '--' },
    { kind: 'words', text: 5 },
    { kind: 'exists' },
    { kind: 'exists', field: 'container' },
    { kind: 'exists', field: 'event.original' },
    { kind: 'text', field: 'log.level', text: 'x' },
    { kind: 'equals', field: 'message', value: 'x' },
    { kind: 'equals', field: 'log.level', value: null },
    { kind: 'pattern', field: 'log.level', pieces: ['x'] },
    { kind: 'pattern', field: 'log.level', pieces: ['', ''] },
    { kind: 'pattern', field: 'log.level', pieces: Array.from({ length: 12 }, () => 'x') },
    { kind: 'pattern', field: 'log.level', pieces: ['x'.repeat(901), ''] },
    { kind: 'pattern', field: 'attributes.a', pieces: ['', 'x'] },
    { kind: 'addresses', field: 'client.ip', first: '10.0.0', last: '10.0.0.1' },
    { kind: 'addresses', field: 'log.level', first: '10.0.0.1', last: '10.0.0.1' },
    { kind: 'numbers', field: 'attributes.a' },
    { kind: 'numbers', field: 'attributes.a', from: { number: 'x', inclusive: true } },
    { kind: 'numbers', field: '@timestamp', from: { number: '2026', inclusive: true } },
    { kind: 'numbers', field: 'message', from: { number: '1', inclusive: true } },
    { kind: 'times', field: '@timestamp' },
    { kind: 'times', field: '@timestamp', since_ns: '1e9' },
    { kind: 'times', field: '@timestamp', since_ns: 5 },
    { kind: 'times', field: 'log.level', since_ns: '5' },
  ])
    check(json);
});
