// Blocks that are joined: the same documents as one block that is made of them, and the same words in its filter.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { type BlockDocument, encodeBlock } from '#shared/store/embedded/blocks/encode-block.ts';
import { joinBlocks } from '#shared/store/embedded/blocks/join-blocks.ts';
import { document, documentOf, readerOf, readerOfBlock } from './generated-documents.ts';

/** Returns whether they could be joined. */
function check(blocks: readonly (readonly BlockDocument[])[]): boolean {
  const documents = blocks.flat();
  const length = documents.reduce((sum, { text }) => sum + text.length, 0);
  const joined = joinBlocks(blocks.map(readerOf), length);
  if (joined === null) return false;
  const reader = readerOfBlock(joined);
  assert.equal(reader.documents, documents.length);
  assert.deepEqual(
    documents.map((_, i) => documentOf(reader, i)),
    documents,
  );
  const whole = encodeBlock(documents);
  assert.deepEqual(joined.filter, whole.filter);
  assert.deepEqual(reader.paths, readerOfBlock(whole).paths);
  assert.deepEqual(reader.runs(), readerOfBlock(whole).runs());
  return true;
}

/** Numbered in the order in which they come. */
const inOrder = (blocks: readonly (readonly BlockDocument[])[]): BlockDocument[][] => {
  let row = 0;
  return blocks.map((block) => block.map((one) => ({ ...one, row: row++ })));
};

it('of any documents, or says that it cannot', () => {
  const block = fc.array(document, { minLength: 1, maxLength: 12 });
  let joined = 0;
  fc.assert(
    fc.property(fc.array(block, { minLength: 2, maxLength: 5 }), (blocks) => {
      if (check(inOrder(blocks))) joined += 1;
    }),
    { numRuns: 300 },
  );
  assert(joined > 0);
});

const NS = 1_000_000n;
const START = 1_772_366_400_000n;

/** As the indexer makes them, from this number on; every seventh has another shape. */
function lines(first: number, count: number, about: { words?: number; digits?: number } = {}): BlockDocument[] {
  const { words = 7, digits = 3 } = about;
  return Array.from({ length: count }, (_, at) => {
    const i = first + at;
    const ms = START + BigInt(i);
    const iso = new Date(Number(ms)).toISOString();
    const message = `request ${i * 7919} ${'status=404 '.repeat(10)}\u00e4`;
    const fields = {
      '@timestamp': digits === 3 ? iso : iso.replace('Z', '000Z'),
      message,
      log: { level: `level ${i % words}` },
      event: { ingested: iso, sequence: i, original: `${iso} stdout F ${message}` },
      ...(i % 7 === 0 ? { attributes: { n: i, list: [i, 'x'] } } : {}),
    };
    return {
      id: `${(i >> 8).toString(16).padStart(32, '0')}-${i & 255}`,
      row: i,
      time: ms * NS,
      sequence: i,
      ingestedMs: Number(ms),
      created: null,
      origin: i % 3,
      text: JSON.stringify(fields),
    };
  });
}

for (const [name, blocks, isJoined] of [
  ['of lines like those of the indexer', [lines(0, 300), lines(300, 250), lines(550, 400)], true],
  ['of few lines each', Array.from({ length: 64 }, (_, i) => lines(9 * i, 9)), true],
  ['with more words in a column than a dictionary takes', [lines(0, 500, { words: 150 }), lines(500, 500)], true],
  ['with two dictionaries that are none together', [lines(0, 600, { words: 200 }), ofLevels(600)], true],
  ['with times of other forms', [lines(0, 200), lines(200, 200, { digits: 6 })], false],
  ['which overlap', [lines(0, 200), lines(100, 200)], false],
  ['with one that is kept whole', [lines(0, 200), [{ ...whole(200) }]], false],
] as const) {
  it(name, () => assert.equal(check(blocks), isJoined));
}

function ofLevels(first: number): BlockDocument[] {
  return lines(first, 600).map((one, i) => ({ ...one, text: one.text.replace(/level \d+/, `other ${i % 200}`) }));
}

/** A key twice. */
function whole(row: number): BlockDocument {
  const [one] = lines(row, 1);
  assert(one !== undefined);
  return { ...one, text: '{"a":1,"a":2}' };
}
