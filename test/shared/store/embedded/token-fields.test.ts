// By tokens the same is known of a document as by all of it, or nothing; and no text is taken for JSON that is none.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { namesOf, nameOf } from '#shared/store/embedded/blocks/document-ids.ts';
import { ShapeCache } from '#shared/store/embedded/blocks/shape-cache.ts';
import { indexedFields } from '#shared/store/embedded/indexed-fields.ts';
import { TokenFields } from '#shared/store/embedded/token-fields.ts';

const word = fc.constantFrom('web', 'a"b', 'x\n', 'é', '', 'w'.repeat(1030));
const instant = fc.constantFrom(
  '2026-03-01T12:00:00.123Z',
  '2026-03-01T12:00:00.123456789Z',
  '2026-02-30T12:00:00Z',
  '1969-12-31T23:59:59Z',
  '2300-01-01T00:00:00Z',
  'soon',
  '',
);
const odd = fc.constantFrom<unknown>(
  null,
  1,
  -1,
  1.5,
  2 ** 53,
  9007199254740991,
  true,
  [],
  ['a', 1],
  { name: 'in' },
  {},
);
const names = fc.record({ id: fc.oneof(word, odd), name: fc.oneof(word, odd) }, { requiredKeys: [] });
const document = fc.record(
  {
    '@timestamp': fc.oneof({ weight: 9, arbitrary: fc.constant('2026-03-01T12:00:00.123Z') }, instant, odd),
    event: fc.oneof(
      odd,
      fc.record(
        {
          sequence: fc.oneof(odd, fc.maxSafeInteger(), fc.nat(), fc.nat()),
          ingested: fc.oneof({ weight: 5, arbitrary: instant }, odd),
          created: fc.oneof({ weight: 5, arbitrary: instant }, odd),
        },
        { requiredKeys: [] },
      ),
    ),
    container: fc.oneof({ weight: 3, arbitrary: names }, odd),
    service: names,
    kubernetes: fc.record({ pod: fc.oneof(names, odd) }, { requiredKeys: [] }),
    fluentd: fc.record({ tag: fc.oneof(word, odd) }, { requiredKeys: [] }),
    tenant: names,
  },
  { requiredKeys: [] },
);

it('are those of the whole document, or none', () => {
  let known = 0;
  fc.assert(
    fc.property(fc.array(document, { minLength: 1, maxLength: 8 }), (documents) => {
      const cache = new ShapeCache();
      const fields = new TokenFields();
      for (const text of [...documents, ...documents].map((each) => JSON.stringify(each))) {
        const apart = cache.take(text);
        assert(apart !== null);
        const found = fields.of(apart);
        if (found !== null) assert.deepEqual(found, indexedFields(text), text);
        if (found !== null) known += 1;
      }
    }),
    { numRuns: 500 },
  );
  assert(known > 15, `${known} were known`);
});

it('takes nothing for JSON that is none, though it looks like what came before', () => {
  const cache = new ShapeCache();
  const good = '{"a":"x","b":1,"c":[1],"d":true}';
  assert.equal(cache.take(good)?.values.length, 4);
  for (const bad of [
    '"x',
    'x"',
    '"\\x"',
    '"\t"',
    '"\\u00g0"',
    '01',
    '1.',
    '.5',
    '+1',
    'tru',
    'nul',
    'NaN',
    '[1,]',
    '[01]',
    '[',
    '',
  ]) {
    for (const value of ['"x"', '1', '[1]', 'true']) {
      const text = good.replace(value, () => bad);
      assert.throws(() => JSON.parse(text), text);
      assert.equal(cache.take(text), null, text);
    }
  }
  for (const text of ['[]', '1', '""', 'null', '{', `${good}}`, ` ${good} x`])
    assert.equal(cache.take(text), null, text);
});

it('any letters cut or changed: taken if, and only if, it is an object of JSON', () => {
  const good = '{"@timestamp":"2026-03-01T12:00:00Z","message":"a \\"b\\" c","event":{"n":[1,{"x":null}],"m":-1.5e3}}';
  const cache = new ShapeCache();
  assert(cache.take(good));
  const isObject = (text: string): boolean => {
    try {
      return JSON.stringify(JSON.parse(text)).startsWith('{');
    } catch {
      return false;
    }
  };
  for (let at = 0; at < good.length; at++)
    for (const put of ['', '"', '\\', '{', '}', '0', ' ', '\u0001']) {
      const text = good.slice(0, at) + put + good.slice(at + 1);
      assert.equal(cache.take(text) !== null, isObject(text), text);
    }
});

it('names in a row are those that each has alone', () => {
  const key = fc.constantFrom(Buffer.alloc(16), Buffer.alloc(16, 255), Buffer.from('0123456789abcdef'));
  const id = fc.oneof(
    fc.tuple(key, fc.nat(0xffff_ffff)).map(([bytes, index]) => {
      const all = Buffer.concat([bytes, Buffer.alloc(4)]);
      all.writeUInt32BE(index, 16);
      return all.toString('base64url');
    }),
    fc.stringMatching(/^[A-Za-z0-9_-]{26}[A-Za-z0-9_ é-]$/),
    fc.constantFrom('a'.repeat(27), `${'A'.repeat(26)}B`, `${'A'.repeat(26)}+`, `${'A'.repeat(21)}Q${'A'.repeat(5)}`),
  );
  fc.assert(
    fc.property(fc.array(id, { maxLength: 12 }), (ids) => {
      assert.deepEqual(namesOf(ids), ids.map(nameOf));
    }),
    { numRuns: 2000 },
  );
});
