// What the parameters of a request mean, and what is said of those that are wrong.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SluiceError } from '#shared/errors.ts';
import { cursorOf, cursorText } from '../../../services/sluice/read/wire/cursor.ts';
import {
  type Asker,
  fieldsRequest,
  histogramRequest,
  type Parameters,
  QueryError,
  searchRequest,
  tailRequest,
} from '../../../services/sluice/read/parameters.ts';

const anyone: Asker = { tenant: null, nowMs: Date.UTC(2026, 2, 1, 12), store: 'embedded' };
const acme: Asker = { ...anyone, tenant: 'acme' };
const json = (given: Parameters, asker = anyone) => searchRequest(given, asker, 'json');

function check(what: string, read: () => unknown, expected: object | RegExp): void {
  test(what, () => {
    if (expected instanceof RegExp)
      assert.throws(read, (error) => expected.test(`${(error as SluiceError).code}: ${String(error)}`));
    else assert.partialDeepStrictEqual(read(), expected);
  });
}

check('nothing: the newest hundred', () => json({}), {
  limit: 100,
  order: 'newest',
  range: { where: { kind: 'all' } },
});
check('counted: all rows', () => json({ q: '| count by level' }), { limit: Infinity, stages: [{ kind: 'stats' }] });
check('empty ones are none', () => json({ q: '', limit: '', tenant: '' }), { limit: 100 });
check('times', () => json({ from: '10m', to: '1772366400' }), {
  range: { since: '2026-03-01T11:50:00.000000000Z', until: '2026-03-01T12:00:00.000000000Z' },
});
check('a tenant that is asked for', () => json({ tenant: 'beta' }), { range: { tenant: 'beta' } });
check('the tenant of the token', () => json({}, acme), { range: { tenant: 'acme' } });
check('the same, said', () => json({ tenant: 'acme' }, acme), { range: { tenant: 'acme' } });
check('another one', () => json({ tenant: 'beta' }, acme), /^tenant_refused: /);
check('a mistake in the query', () => json({ q: 'a (b' }), /^query_wrong: .*this \( is never closed/);
check('a misspelt filter', () => json({ tennant: 'x' }), /^query_wrong: .*no parameter "tennant"/);
check('the prototype', () => json({ __proto__: null, constructor: 'x' }), /no parameter "constructor"/);
check('twice', () => json({ q: ['a', 'b'] }), /q is there twice/);
check('limits', () => json({ limit: '0' }), /a number from 1 to 10000/);
check('too many for one text', () => json({ limit: '10001' }), /a number from 1 to 10000/);
check('lines may be more', () => searchRequest({ limit: '10001' }, anyone, 'ndjson'), { limit: 10_001 });
check('no number', () => json({ limit: '1e3' }), /a number from 1/);
check('no time', () => json({ from: 'yesterday' }), /Cannot read from "yesterday"/);
check('no level', () => json({ level: 'loud' }), /Cannot read level "loud"/);
check('no order', () => json({ order: 'best' }), /newest or oldest/);
check('no cursor', () => json({ after: 'x' }), /Cannot read after/);
check('a cursor of another store', () => json({ after: cursorText(['2026-03-01T12:00:00Z', 1, 'a']) ?? '' }), /after/);
check('rows have no cursor', () => json({ q: '| count', after: cursorText(['1', 1, 1]) ?? '' }), /behind a bar/);
check('a long name', () => json({ name: 'x'.repeat(1025) }), /at most 1024/);

check('about sixty spans', () => histogramRequest({}, anyone), {
  everyMs: 60_000,
  range: { since: '2026-03-01T11:00:00.000Z' },
});
check('of years', () => histogramRequest({ from: '2020-01-01T00:00:00Z' }, anyone), { everyMs: 38 * 86_400_000 });
check('of no time', () => histogramRequest({ from: '1m', to: '2m' }, anyone), /from has to be before to/);
check('too many spans', () => histogramRequest({ from: '1d', every: '1s' }, anyone), /more than 2000 spans/);
check('no span', () => histogramRequest({ every: '5' }, anyone), /such as 30s/);
check('a span of nothing', () => histogramRequest({ every: '0m' }, anyone), /such as 30s/);
check('by fields', () => histogramRequest({ by: 'level, pod' }, anyone), { by: ['level', 'pod'] });
check('by nothing', () => histogramRequest({ by: 'level,' }, anyone), /up to 3 fields/);
check('stages have one place', () => histogramRequest({ q: '* | count' }, anyone), /a bar has no place/);
check('fields', () => fieldsRequest({ sample: '10' }, acme), { sample: 10, range: { tenant: 'acme' } });
check('too large a sample', () => fieldsRequest({ sample: '1001' }, anyone), /1 to 1000/);
check('a tail has no end', () => tailRequest({ to: '1m' }, anyone), /no parameter "to"/);
check('a tail of a tenant', () => tailRequest({ last: '5' }, acme), { last: 5, query: { tenant: 'acme' } });

test('the place of a mistake is told', () => {
  assert.throws(
    () => json({ q: 'level:error (timeout' }),
    (error) => error instanceof QueryError && error.at === 12,
  );
});

test('any parameters are a request, or an error with a code', () => {
  const values = fc.oneof(fc.string(), fc.array(fc.string()), fc.constantFrom('1', '5m', 'newest', '*', 'a | b'));
  const keys = fc.constantFrom('q', 'from', 'to', 'limit', 'after', 'every', 'by', 'level', 'pod', 'tenant', 'x');
  fc.assert(
    fc.property(fc.dictionary(keys, values), (given) => {
      for (const read of [json, histogramRequest, fieldsRequest, tailRequest]) {
        try {
          const asked = read(given, acme);
          assert.equal(('range' in asked ? asked.range : asked.query).tenant, 'acme');
        } catch (error) {
          assert(error instanceof SluiceError, String(error));
          assert.equal(error.kind.fault, 'sender');
        }
      }
    }),
  );
});

test('a cursor is what it was; nothing else is one', () => {
  const part = fc.oneof(fc.maxSafeInteger(), fc.stringMatching(/^[\w-]{1,20}$/));
  const time = fc.bigInt({ min: -(10n ** 18n) + 1n, max: 10n ** 18n - 1n }).map(String);
  fc.assert(
    fc.property(time, fc.maxSafeInteger(), fc.array(part, { maxLength: 5 }), (at, sequence, others) => {
      const place = [at, sequence, ...others];
      assert.deepEqual(cursorOf(cursorText(place) ?? '', 'embedded'), place);
      assert.equal(cursorOf(cursorText(place) ?? '', 'elasticsearch'), null);
    }),
  );
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      assert.doesNotThrow(() => cursorOf(text, 'embedded'));
      const given = cursorOf(Buffer.from(text).toString('base64url'), 'embedded');
      assert(given === null || (typeof given[0] === 'string' && /^-?\d+$/.test(given[0])));
    }),
  );
  assert.equal(cursorText(['1', 1, ...Array.from({ length: 200 }, () => 'id')]), null);
});
