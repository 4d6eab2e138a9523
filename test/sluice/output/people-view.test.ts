// Lines as somebody at a terminal reads them, from documents as the indexer makes them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseQuery } from '#shared/store/query/parser.ts';
import { peopleText, type PeopleViewOptions } from '../../../services/sluice/output/people-view.ts';
import { soughtIn } from '../../../services/sluice/output/sought.ts';

const plain: PeopleViewOptions = { hasColours: false, isWhole: false };
const trace = (lines: number): string =>
  ['Boom: x', ...Array.from({ length: lines - 1 }, (_, at) => `  at f${at}`)].join('\n');
const said = (source: Record<string, unknown>, options = plain): string =>
  peopleText({ id: 'x', index: 'x', sort: [], source }, options);

for (const [what, source, text] of [
  ['text', { message: 'hello\n' }, 'hello'],
  ['no message', { attributes: { a: 1 } }, '{"a":1}'],
  [
    'a line of JSON',
    {
      message: 'sent',
      event: { original: '{"level":"warn","msg":"sent","took":12.5}' },
      log: { level: 'warn' },
      attributes: { took: 12.5 },
    },
    'WARN  sent  took=12.5',
  ],
  ['a level that the line tells itself', { message: 'ERROR: no', log: { level: 'error' } }, 'ERROR: no'],
  ['a level of the record', { message: 'no', log: { level: 'emergency' } }, 'EMERG no'],
  [
    'fields of the schema before attributes, and those inside others by their path',
    { message: 'GET /', http: { response: { status_code: 500 } }, attributes: { a: { b: true, c: [1, 2] } } },
    'GET /  http.response.status_code=500 a.b=true a.c=[1,2]',
  ],
  [
    'values with spaces and quotes',
    { message: 'x', attributes: { a: 'b "c"', d: '' } },
    String.raw`x  a="b \"c\"" d=""`,
  ],
  ['a long value', { message: 'x', attributes: { a: 'b'.repeat(100) } }, `x  a=${'b'.repeat(47)}…`],
  [
    'more than fits',
    {
      message: 'x',
      attributes: Object.fromEntries(Array.from({ length: 50 }, (_, at) => [`key${at}`, 'v'.repeat(40)])),
    },
    `x  ${[0, 1, 2].map((at) => `key${at}=${'v'.repeat(40)}`).join(' ')} …`,
  ],
  [
    'escapes in a message, a key and a value',
    { message: '\u001b[31m', attributes: { '\u001b': '\n' } },
    String.raw`\u001b[31m  \u001b=\u000a`,
  ],
  ['a level that is none', { message: 'x', log: { level: '\u001b[2J' } }, 'x'],
  ['a short trace', { message: trace(12), log: { lines: 12 } }, trace(12)],
  [
    'a long trace',
    { message: `${trace(40)}\nCaused by: y\n  at g\n  at h`, log: { lines: 43 } },
    `${trace(6)}\n    … 34 more lines (--unfold)\nCaused by: y\n    … 2 more lines (--unfold)`,
  ],
] as const satisfies [string, Record<string, unknown>, string][]) {
  test(what, () => assert.equal(said(source), text));
}

test('a trace is whole where that was asked for', () => {
  assert.equal(said({ message: trace(40), log: { lines: 40 } }, { hasColours: false, isWhole: true }), trace(40));
});

test('of a long trace the lines that were looked for are shown, but not too many', () => {
  const lines = Array.from({ length: 40 }, (_, i) => `  at com.shop.${i % 10 === 9 ? 'Cart' : 'Other'} ${i}`);
  const document = { message: lines.join('\n'), log: { lines: 40 } };
  const where = parseQuery('"COM.SHOP.cart" -other level:error', { nowMs: 0 });
  assert('where' in where);
  const sought = soughtIn(where.where);
  assert.deepEqual(sought, ['com.shop.cart']);
  const shown = said(document, { hasColours: false, isWhole: false, sought }).split('\n');
  assert.deepEqual(
    shown.filter((line) => line.includes('Cart')),
    lines.filter((line) => line.includes('Cart')),
  );
  assert.equal(said(document, { hasColours: false, isWhole: false, sought: ['shop'] }).split('\n').length, 6 + 6 + 1);
});

for (const [level, code] of [
  ['error', 31],
  ['critical', 31],
  ['warn', 33],
  ['debug', 2],
] as const) {
  test(`${level} has its colour, line by line`, () => {
    const text = said({ message: 'a\nb', log: { level } }, { hasColours: true, isWhole: false });
    const paint = (line: string): string => `\u001b[${code}m${line}\u001b[0m`;
    const label = { error: 'ERROR', critical: 'CRIT', warn: 'WARN', debug: 'DEBUG' }[level];
    assert.equal(text, `${paint(label)}${' '.repeat(6 - label.length)}${paint('a')}\n${paint('b')}`);
  });
}

test('info has a label in colour and a message without', () => {
  const text = said({ message: 'a', log: { level: 'info' } }, { hasColours: true, isWhole: false });
  assert.equal(text, '\u001b[32mINFO\u001b[0m  a');
});
