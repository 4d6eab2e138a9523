// A query's tree as Elasticsearch is asked, where that is not plain: bounds of 64 bits, milliseconds, stars and NUL.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { whereClause } from '#shared/store/elasticsearch/where-clauses.ts';
import { parseQuery } from '#shared/store/query/parser.ts';

function check(text: string, expected: unknown, cheapOnly = false): void {
  const parsed = parseQuery(text, { nowMs: 0 });
  assert('where' in parsed, text);
  const textClause = (field: string) => ({ text: field });
  const wordClauses = () => [{ text: 'anywhere' }];
  assert.deepEqual(whereClause(parsed.where, { textClause, wordClauses, cheapOnly }), expected, text);
}

const sequence = (gte: string, lte: string) => ({ range: { 'event.sequence': { gte, lte } } });
const MIN = '-9223372036854775808';
const MAX = '9223372036854775807';
const NONE = { match_none: {} };

test('numbers of attributes are terms', () => {
  const range = (bounds: object) => ({ range: { attribute_numbers: bounds } });
  check('a.b>=500', range({ gte: 'a.b\0h5', lt: 'a.b\0{' }));
  check('a>500', range({ gt: 'a\0h5', lt: 'a\0{' }));
  check('a<500', range({ gte: 'a\0A', lt: 'a\0h5' }));
  check('a:[-1 TO 500]', range({ gte: 'a\0U8~', lte: 'a\0h5' }));
  check('a:500', {
    bool: {
      should: [{ term: { 'attributes.a': { value: '500' } } }, { term: { attribute_numbers: 'a\0h5' } }],
      minimum_should_match: 1,
    },
  });
  check('attributes:500', { term: { attributes: { value: '500' } } });
});

test('bounds of integers', () => {
  check('event.sequence>=5', sequence('5', MAX));
  check('event.sequence>5', sequence('6', MAX));
  check('event.sequence<5.5', sequence(MIN, '5'));
  check('event.sequence<=5.5', sequence(MIN, '5'));
  check('event.sequence>=-5.5', sequence('-5', MAX));
  check('event.sequence>-5', sequence('-4', MAX));
  check('event.sequence>=+.5', sequence('1', MAX));
  check('event.sequence>=-.5', sequence('0', MAX));
  check('event.sequence:1.5e1', sequence('15', '15'));
  check('event.sequence:1.55e1', NONE);
  check('event.sequence>=1e30', NONE);
  check('event.sequence<=1e30', sequence(MIN, MAX));
  check('event.sequence>=-1e300', sequence(MIN, MAX));
  check(`event.sequence>${MAX}`, NONE);
  check(`event.sequence:[${MIN} TO ${MAX}]`, sequence(MIN, MAX));
  check('event.sequence<0.0000001', sequence(MIN, '0'));
  check('event.sequence>1e-300', sequence('1', MAX));
});

test('times', () => {
  check('@timestamp>=2026-01-01T00:00:00.000000001Z', {
    range: { '@timestamp': { gte: '2026-01-01T00:00:00.000000001Z' } },
  });
  check('@timestamp<1066-10-14', { range: { '@timestamp': { lt: '1970-01-01T00:00:00.000000000Z' } } });
  const ingested = (bounds: object) => ({ range: { 'event.ingested': { ...bounds, format: 'epoch_millis' } } });
  check('event.ingested>=1970-01-01T00:00:00.0005Z', ingested({ gte: 1 }));
  check('event.ingested<1970-01-01T00:00:00.001000001Z', ingested({ lt: 2 }));
});

test('values', () => {
  check('level:Error', { term: { 'log.level': { value: 'Error', case_insensitive: true } } });
  check('container:we*b-?', {
    wildcard: { 'container.name': { value: String.raw`we*b-\?`, case_insensitive: false } },
  });
  check(String.raw`container:a\\*b\**`, {
    wildcard: { 'container.name': { value: String.raw`a\\*b\**`, case_insensitive: false } },
  });
  check('user:a*', { prefix: { 'attributes.user': { value: 'a', case_insensitive: false } } });
  check(String.raw`us\*er:*`, { prefix: { 'attributes.us*er': { value: '' } } });
  check('user:*', { exists: { field: 'attributes.user' } }, true);
  check('stream:*', { exists: { field: 'stream' } });
  check('a\\\0b:c', { term: { 'attributes.a\ufffdb': { value: 'c' } } });
});

test('operators', () => {
  const a = { bool: { should: [{ text: 'anywhere' }], minimum_should_match: 1 } };
  check('', { match_all: {} });
  check('a message:b', { bool: { filter: [a, { text: 'message' }] } });
  check('a OR -a', { bool: { should: [a, { bool: { must_not: a } }], minimum_should_match: 1 } });
});
