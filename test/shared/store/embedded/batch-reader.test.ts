// By its bytes the same is known of a document as by its text, the same block is made of it, and no text is taken for
// JSON that is none.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { BatchReader } from '#shared/store/embedded/batch-reader.ts';
import { namesOf, runsOf } from '#shared/store/embedded/blocks/document-ids.ts';
import { encodeBatch } from '#shared/store/embedded/blocks/encode-batch.ts';
import { encodeBlock } from '#shared/store/embedded/blocks/encode-block.ts';
import { ShapeCache } from '#shared/store/embedded/blocks/shape-cache.ts';
import { WHOLE } from '#shared/store/embedded/blocks/shapes.ts';
import { indexedFields } from '#shared/store/embedded/indexed-fields.ts';

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

/** Values as senders choose them, and what stands around the message in a line. */
const value = fc.oneof(
  fc.constantFrom<unknown>(
    'a',
    'GET /',
    'é…',
    'tab\t "quoted"',
    '\\u0041',
    '',
    1,
    -0.5,
    1e21,
    null,
    true,
    [1, 'x'],
    [[]],
    {},
  ),
  fc.string(),
  fc.string({ unit: 'binary' }),
);
const line = fc.record(
  {
    '@timestamp': fc.constantFrom(
      '2026-03-01T12:00:00.123Z',
      '2026-03-01T12:00:01.5Z',
      '2024-02-29T23:59:59.999999999Z',
    ),
    message: fc.oneof(fc.constantFrom('hello', 'hello world'), fc.string()),
    log: fc.record({ level: fc.constantFrom('info', 'error') }),
    attributes: fc.dictionary(fc.constantFrom('a', 'b', 'é', 'n.m'), value, { maxKeys: 3 }),
    event: fc.record(
      {
        original: fc.constantFrom('INFO hello', 'hello', 'hello again', 'é hello world'),
        sequence: fc.nat(),
        ingested: fc.constantFrom('2026-03-01T12:00:02.123Z', '2026-03-01T12:00:02.123456Z'),
        created: fc.constantFrom('2026-03-01T12:00:01.123Z', '2026-03-01T12:00:01Z'),
      },
      { requiredKeys: [] },
    ),
    container: fc.record({ id: fc.constantFrom('c1', 'c2'), name: fc.constantFrom('web', 'we"b') }),
  },
  { requiredKeys: ['@timestamp'] },
);

function batchOf(texts: readonly (string | Uint8Array)[], reader = new BatchReader()) {
  const documents = texts.map((text) => Buffer.from(text));
  const bounds = new Uint32Array(texts.length * 2);
  const body: Buffer[] = [Buffer.from('{"create":{}}\n')];
  let at = body[0]?.length ?? 0;
  for (const [i, document] of documents.entries()) {
    bounds.set([at, at + document.length], 2 * i);
    body.push(document, Buffer.from('\n'));
    at += document.length + 1;
  }
  return reader.read({ body: Buffer.concat(body), bounds });
}

/** Makes a block of them in both ways. Returns how many were of a shape. */
function checkBlocks(texts: readonly string[], reader: BatchReader): number {
  const { batch, texts: changed } = batchOf(texts, reader);
  assert.equal(changed.size, 0);
  const ids = texts.map((_, i) => `id-${i}`);
  const origins = Float64Array.from(texts, (_, i) => 1 + (i % 3));
  const rows = Float64Array.from(texts, (_, i) => 100 + i);
  const runs = runsOf(namesOf(ids));
  const documents = Int32Array.from(texts.keys());
  const plain = texts.map((text, i) => ({
    ...batch.knownOf(i),
    id: ids[i] ?? '',
    row: rows[i] ?? 0,
    origin: origins[i] ?? 0,
    text,
  }));
  assert.deepEqual(encodeBatch({ batch, documents, rows, origins, runs }), encodeBlock(plain));
  return batch.shapes.filter((shape) => shape !== WHOLE).length;
}

it('are those of the whole document, or why it is none', () => {
  let known = 0;
  fc.assert(
    fc.property(fc.array(document, { minLength: 1, maxLength: 8 }), fc.array(line, { maxLength: 4 }), (odd, lines) => {
      const texts = [...odd, ...lines, ...odd, ...lines].map((each) => JSON.stringify(each));
      const { batch, names, refused } = batchOf(texts);
      for (const [item, text] of texts.entries()) {
        const reason = refused.find((each) => each.item === item)?.reason;
        const found = reason ?? { ...batch.knownOf(item), ...names[item] };
        assert.deepEqual(found, indexedFields(text), text);
        if (reason === undefined) known += 1;
      }
    }),
    { numRuns: 500 },
  );
  assert(known > 500, `${known} were known`);
});

it('make the same block by their bytes as by their text', () => {
  let apart = 0;
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 100 }), (lines) => {
      const reader = new BatchReader();
      const texts = lines.map((each) => JSON.stringify(each));
      apart += checkBlocks(texts, reader);
      checkBlocks(texts.toReversed(), reader);
      // All of one shape, as most are.
      checkBlocks(
        Array.from({ length: 150 }, (_, i) => texts[i % Math.min(2, texts.length)] ?? ''),
        reader,
      );
    }),
    { numRuns: 60 },
  );
  assert(apart > 200, `${apart} were taken apart`);
});

it('with lines that are too long to be looked through make the same block', () => {
  const message = 'x'.repeat(70_000);
  const text = JSON.stringify({ '@timestamp': '2026-03-01T12:00:00.123Z', message, event: { original: message } });
  checkBlocks([text, text.replaceAll('x', 'y'), text], new BatchReader());
});

it('of more shapes and columns than a block lists make the same one', () => {
  const texts = Array.from({ length: 700 }, (_, i) =>
    JSON.stringify({
      '@timestamp': '2026-03-01T12:00:00.123Z',
      attributes: { [`k${i % 350}`]: i, [`m${i % 7}`]: 'x' },
    }),
  );
  checkBlocks(texts, new BatchReader());
});

it('that are no UTF-8, or not on one line, are kept as their text says', () => {
  const good = '{"@timestamp":"2026-03-01T12:00:00Z","message":"a"}';
  const broken = Buffer.from(good.replace('"a"', '"\u00e9"'), 'latin1');
  assert.deepEqual(
    [...batchOf([good, broken]).texts],
    [
      [0, good],
      [1, good.replace('"a"', '"\ufffd"')],
    ],
  );
  const lines = good.replaceAll(',', ',\n ');
  assert.deepEqual(
    [...batchOf([good, lines, ` ${good} `]).texts],
    [
      [1, good],
      [2, good],
    ],
  );
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
      const [stamped, good2] = [text, good].map((each) => each.replace('{', '{"@timestamp":"2026-03-01T12:00:00Z",'));
      const { refused, batch } = batchOf([good2 ?? '', stamped ?? '', good2 ?? '']);
      assert.deepEqual(refused, [{ item: 1, reason: 'the document is not a JSON object' }], text);
      assert.equal(batch.shapes[2], batch.shapes[0]);
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
      const { refused } = batchOf([good, text]);
      assert.deepEqual(
        refused.map(({ reason }) => reason),
        [indexedFields(text)].filter((found) => typeof found === 'string'),
        text,
      );
    }
});
