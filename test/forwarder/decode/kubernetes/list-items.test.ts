// Lists of the Kubernetes API: whole, cut at every byte, in any order of keys; and what is none.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ITEM_BYTES_MAX, ListItems } from '#forwarder/decode/kubernetes/list-items.ts';
import { listOf, podObject } from './pod-objects.ts';

function readIn(pieces: readonly Buffer[]): { items: unknown[]; rest: unknown; isMalformed: boolean } {
  const list = new ListItems();
  const items = pieces.flatMap((piece) => list.push(piece)).map((item): unknown => JSON.parse(item.toString()));
  return { items, rest: list.rest(), isMalformed: list.isMalformed };
}

test('the items of a list, however it is cut', () => {
  const check = (text: string, items: unknown, metadata: unknown): void => {
    const bytes = Buffer.from(text);
    for (let at = 0; at <= bytes.length; at += 1) {
      const read = readIn([bytes.subarray(0, at), bytes.subarray(at)]);
      assert.deepEqual(
        [read.items, (read.rest as { metadata?: unknown } | null)?.metadata],
        [items, metadata],
        `at ${at}`,
      );
    }
    const single = readIn([...bytes].map((byte) => Buffer.from([byte])));
    assert.deepEqual(single.items, items);
  };
  check('{"items":[],"metadata":{"a":"b"}}', [], { a: 'b' });
  check('{"items":null,"metadata":{}}', [], {});
  check(
    '{"metadata":{"items":[1]}, "items" : [ {"a":1} , {"b":{"items":[{}]}} ] , "x":[[{}]]} ',
    [{ a: 1 }, { b: { items: [{}] } }],
    { items: [1] },
  );
  check('{"kind":"items","metadata":{},"items":[{"a":"]}\\"[{\\\\"}]}', [{ a: ']}"[{\\' }], {});
  check(listOf([podObject()], { next: 'page' }), [podObject()], {
    resourceVersion: '10',
    continue: 'page',
    remainingItemCount: 1,
  });
});

test('what is no list', () => {
  const check = (text: string): void => {
    const { rest, items } = readIn([Buffer.from(text)]);
    assert.equal(rest, null, text);
    assert.ok(items.length <= 1, text);
  };
  for (const text of [
    '',
    '[]',
    '"{}"',
    '1',
    'null',
    '<html>',
    '{}{}',
    '{} x',
    ']',
    '}',
    '{"items":[1]}',
    '{"items":["a"]}',
  ])
    check(text);
  for (const text of ['{"items":[[]]}', '{"items":[{}', '{"items":[{}]', '{"metadata":{', '{"a":1]}', '\u0000'])
    check(text);
  check(listOf([podObject()]).slice(0, -3));
});

test('no item is kept that is too large, and nothing of it', () => {
  const list = new ListItems();
  const mebibyte = Buffer.alloc(1024 * 1024, 'a');
  list.push(Buffer.from('{"items":[{"a":"'));
  let pushed = 0;
  for (; pushed < 50 && !list.isMalformed; pushed += 1) assert.deepEqual(list.push(mebibyte), []);
  assert.equal(pushed, ITEM_BYTES_MAX / mebibyte.length);
  assert.equal(list.rest(), null);
  const rest = new ListItems();
  rest.push(Buffer.from('{"metadata":{"a":"'));
  rest.push(mebibyte);
  assert.equal(rest.isMalformed, true);
});

test('any list comes out as it went in, and no bytes throw', () => {
  const item = fc.dictionary(fc.string(), fc.jsonValue());
  fc.assert(
    fc.property(
      fc.array(item),
      fc.dictionary(fc.string(), fc.jsonValue()),
      fc.integer({ min: 1, max: 9 }),
      (items, other, size) => {
        const whole = { ...other, items, metadata: { resourceVersion: '1' } };
        const bytes = Buffer.from(JSON.stringify(whole, null, size % 3));
        const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
          bytes.subarray(i * size, (i + 1) * size),
        );
        const read = readIn(pieces);
        assert.deepEqual(JSON.stringify(read.items), JSON.stringify(items));
        assert.deepEqual(JSON.stringify(read.rest), JSON.stringify({ ...whole, items: [] }));
      },
    ),
    { numRuns: 300 },
  );
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('{', '}', '[', ']', '"', '\\', ':', ',', '"items"', ' ', 'a', '{}')),
      (pieces) => {
        const list = new ListItems();
        for (const piece of pieces) list.push(Buffer.from(piece));
        list.rest();
      },
    ),
  );
});
