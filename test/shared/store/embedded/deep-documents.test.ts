// How deep a document may be: the same for whichever way it is read, and little enough that all readers can take it.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { BatchReader } from '#shared/store/embedded/batch-reader.ts';
import { indexedFields } from '#shared/store/embedded/indexed-fields.ts';
import { parseExactJson } from '#shared/store/exact-json.ts';

it('refuses by how deep a document is, whichever way it is read, and all that it takes can be read back', () => {
  const check = (depth: number, isTaken: boolean, value: (inner: string, levels: number) => string) => {
    const textOf = (a: string): Buffer => Buffer.from(`{"@timestamp":"2026-03-01T12:00:00.001Z","a":${a}}`);
    const deep = textOf(value('1.50', depth - 1));
    // As the first one, behind one of the same shape, and again.
    const texts = [deep, textOf('1'), deep, deep];
    let end = 0;
    const bounds = Uint32Array.from(texts.flatMap((text) => [end, (end += text.length)]));
    const { refused } = new BatchReader().read({ body: Buffer.concat(texts), bounds });
    const expected = isTaken
      ? []
      : [0, 2, 3].map((item) => ({ item, reason: 'the document has more than 1000 levels' }));
    assert.deepEqual(refused, expected, `${depth}`);
    assert.equal(typeof indexedFields(deep.toString()), isTaken ? 'object' : 'string');
    if (isTaken) assert.equal(JSON.stringify(parseExactJson(deep.toString())), deep.toString());
  };
  const list = (inner: string, levels: number) => '['.repeat(levels) + inner + ']'.repeat(levels);
  const object = (inner: string, levels: number) => '{"a":'.repeat(levels) + inner + '}'.repeat(levels);
  const mixed = (inner: string, levels: number) => '[{"]":'.repeat(levels >> 1) + inner + '}]'.repeat(levels >> 1);
  for (const value of [list, object, mixed]) {
    for (const depth of [3, 99, 101, 103, 199, 999]) check(depth, true, value);
    for (const depth of [1003, 3001, 10_001, 100_001]) check(depth, false, value);
  }
  check(1000, true, list);
  check(1001, false, list);
  // What is in strings has no depth.
  check(2, true, () => JSON.stringify('[{"\\'.repeat(5000)));
});
