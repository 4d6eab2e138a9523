// The codec of blocks: whatever documents go in come out, byte for byte, and every word that is in them is in the
// filter.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { BlockReader } from '#shared/store/embedded/blocks/decode-block.ts';
import { idOf, namesIn, decodeRuns, encodeRuns, nameOf, runsOf } from '#shared/store/embedded/blocks/document-ids.ts';
import { type BlockDocument, encodeBlock } from '#shared/store/embedded/blocks/encode-block.ts';
import { decodeIntegers, encodeIntegers } from '#shared/store/embedded/blocks/parts/integers.ts';
import { shapeOf, valuesOfShape } from '#shared/store/embedded/blocks/shapes.ts';
import {
  addWords,
  addWordsOfAscii,
  HashSet,
  hashOfWord,
  makeFilter,
  mayHold,
} from '#shared/store/embedded/blocks/word-filter.ts';
import { wordsOf } from '#shared/store/words.ts';
import { document, documentOf, id, integer, readerOf } from './generated-documents.ts';

function listOf(hashes: HashSet): Set<number> {
  const all = new Set<number>();
  hashes.each((hash) => all.add(hash));
  return all;
}

it('gives documents back as they were, whatever they are', () => {
  fc.assert(
    fc.property(fc.array(document, { minLength: 1, maxLength: 30 }), (documents) => {
      const reader = readerOf(documents);
      assert.deepEqual(
        documents.map((_, i) => documentOf(reader, i)),
        documents,
      );
    }),
    { numRuns: 300 },
  );
});

it('takes no time for another that is as many nanoseconds later as 64 bits can tell', () => {
  const time = 1772366400_001000000n;
  const documentAt = (ns: bigint, row: number): BlockDocument => {
    const ingestedMs = Number(ns / 1_000_000n);
    const text = JSON.stringify({ event: { ingested: new Date(ingestedMs).toISOString() } });
    return { id: `x${row}`, row, time: 0n, sequence: row, ingestedMs, created: null, origin: 1, text };
  };
  const near = documentAt(time, 0);
  const far = documentAt(time + 2n ** 64n, 1);
  // What the one before left behind is no help for the next.
  const other = documentAt(time + 5_000_000_000n, 2);
  const documents = [near, other, far];
  const readers = documents.map((document) => readerOf([document]));
  for (const [i, document] of documents.entries())
    assert.deepEqual(documentOf(readers[i] ?? assert.fail(), 0), document);
});

it('gives back a large block of documents like those of the indexer', () => {
  const documents = Array.from({ length: 3000 }, (_, i): BlockDocument => {
    const time = 1772366400_000000000n + BigInt(i) * 1_234_567n;
    const at = new Date(Number(time / 1_000_000n)).toISOString();
    const created = i % 7 === 0 ? time + 1_000_000n : null;
    const fields = {
      '@timestamp': at.replace('Z', `${String(Number(time % 1_000_000n)).padStart(6, '0')}Z`),
      message: `request ${i} \u00e4 took ${i * 7} ms`,
      log: { level: i % 3 === 0 ? 'error' : 'info' },
      event: { ingested: at, sequence: 5_000_000 + i },
      attributes: i % 5 === 0 ? { n: i, list: [i, `x${i}`] } : { n: i },
    };
    const id = `${(i >> 4).toString(16).padStart(32, '0')}-${i & 15}`;
    const ingestedMs = Number(time / 1_000_000n);
    return {
      id,
      row: i,
      time,
      sequence: 5_000_000 + i,
      ingestedMs,
      created,
      origin: i % 4,
      text: JSON.stringify(fields),
    };
  });
  const { head, beside } = encodeBlock(documents);
  const reader = readerOf(documents);
  for (const [i, expected] of documents.entries()) assert.deepEqual(documentOf(reader, i), expected);
  const bytes = head.length + [...beside.values()].reduce((sum, part) => sum + part.length, 0);
  assert(bytes < 25 * documents.length, `${bytes} bytes`);
});

it('takes more shapes and columns than it lists', () => {
  const documents = Array.from({ length: 1000 }, (_, i): BlockDocument => {
    const fields = Object.fromEntries(Array.from({ length: 1 + (i % 9) }, (__, k) => [`k${i}_${k}`, i]));
    const known = { time: BigInt(i), sequence: i, ingestedMs: i, created: null, origin: 1 };
    return { id: `n${i}`, row: i, text: JSON.stringify(fields), ...known };
  });
  const reader = readerOf(documents);
  for (const [i, expected] of documents.entries()) assert.deepEqual(documentOf(reader, i), expected);
});

it('takes a text apart and puts it together again', () => {
  const check = (json: string, paths: (string | null)[], values: string[]) => {
    const shape = shapeOf(json);
    assert.deepEqual(shape.paths, paths, json);
    assert.deepEqual(valuesOfShape(json, shape), values, json);
    assert.equal(shape.pieces.map((piece, i) => piece + (values[i] ?? '')).join(''), json);
  };
  check('{}', [], []);
  check(' { "a" : 1 , "b" : { } } ', ['a'], ['1']);
  check('{"a":"\\\\","b":"\\\\\\""}', ['a', 'b'], ['"\\\\"', '"\\\\\\""']);
  check('{"a":[{"b":"]"},"\\"]"],"c":null}', ['a', 'c'], ['[{"b":"]"},"\\"]"]', 'null']);
  check('{"a":{"b":1},"a.b":2}', [null], ['{"a":{"b":1},"a.b":2}']);
  check('{"a":1,"a":1}', [null], ['{"a":1,"a":1}']);
  check(`${'{"a":'.repeat(30)}1${'}'.repeat(30)}`, [null], [`${'{"a":'.repeat(30)}1${'}'.repeat(30)}`]);
  assert.equal(valuesOfShape('{"a":{}}', shapeOf('{"a":1}')), null);
  assert.equal(valuesOfShape('{"a":1,"b":2}', shapeOf('{"a":1}')), null);
});

it('encodes whole numbers of any size and order', () => {
  fc.assert(
    fc.property(fc.array(integer), (numbers) => {
      assert.deepEqual([...decodeIntegers(encodeIntegers(numbers), numbers.length)], numbers);
    }),
  );
  const extremes = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, 0, 2 ** 51, -(2 ** 51)];
  assert.deepEqual([...decodeIntegers(encodeIntegers(extremes), extremes.length)], extremes);
});

it('keeps names apart that differ, and gives each back', () => {
  fc.assert(
    fc.property(fc.array(id), (ids) => {
      const runs = decodeRuns(encodeRuns(runsOf(ids.map(nameOf))));
      assert.deepEqual([...namesIn(runs)].map(idOf), ids);
    }),
  );
});

it('has the words of every text in its filter, and few others', () => {
  const words = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string(),
    fc.constantFrom('Straße', 'ΑΣ ς σ', 'İ I ı', '中文 ab', 'a\u0301b', 'x_1-Y', 'K'),
  );
  fc.assert(
    fc.property(fc.array(words), (texts) => {
      const hashes = new HashSet();
      for (const one of texts) addWords(one, hashes);
      const expected = new Set(texts.flatMap((one) => wordsOf(one)).map(hashOfWord));
      assert.deepEqual(listOf(hashes), expected);
      const filter = makeFilter(hashes);
      for (const hash of expected) assert(mayHold(filter, hash));
    }),
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.string(), fc.constantFrom('x_1-Y', '_', 'a'.repeat(9000), '\0\t'))), (texts) => {
      const [each, all] = [new HashSet(), new HashSet()];
      for (const one of texts) addWords(one, each);
      addWordsOfAscii(Buffer.from(texts.map((one) => `"${one}"`).join('\n')), all);
      assert.deepEqual(listOf(all), listOf(each));
    }),
  );
  const long = new HashSet();
  addWords('x'.repeat(10_000), long);
  assert.deepEqual([...listOf(long)], wordsOf('x'.repeat(10_000)).map(hashOfWord));
  const hashes = new HashSet();
  for (let i = 0; i < 10_000; i++) addWords(`word${i}`, hashes);
  const filter = makeFilter(hashes);
  let wrong = 0;
  for (let i = 0; i < 10_000; i++) if (mayHold(filter, hashOfWord(`other${i}`))) wrong += 1;
  assert(wrong < 300, `${wrong} of 10,000`);
});

it('takes time that is linear in lines which repeat themselves, wherever their message is', () => {
  const run = 'a'.repeat(2_000_000);
  const message = `${run}b`;
  for (const original of [
    `{"message":"${message}","x":"${run}${run}"}`,
    `${run}${run}${message}`,
    run,
    `${message}${run}`,
  ]) {
    const text = JSON.stringify({ event: { original }, message });
    const known = { time: 1n, sequence: 0, ingestedMs: 0, created: null, id: 'x', row: 1, origin: 1 };
    const { head, beside } = encodeBlock([{ ...known, text }]);
    assert.equal(new BlockReader(head, (n) => beside.get(n) ?? new Uint8Array()).text(0), text);
  }
});

it('takes no text apart that has a key twice', () => {
  for (const text of ['{"a":{"b":1},"a":{"c":2}}', '{"a":{"b":1},"a":2}', '{"a":2,"a":{"b":1}}', '{"a":1,"a":1}'])
    assert.deepEqual(shapeOf(text).paths, [null], text);
});

it('takes no text apart whose keys are alike in UTF-8 only', () => {
  for (const text of [String.raw`{"\ud800":1,"\ud801":2}`, String.raw`{"a":{"\udc00":1,"\ufffd":2}}`])
    assert.deepEqual(shapeOf(text).paths, [null], text);
});

it('takes no text apart that has a long key, which each value below it would repeat', () => {
  const values = JSON.stringify(Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`a${i}`, i])));
  const nested = (key: string) => `{"attributes":{"${key}":${values}}}`;
  assert.deepEqual(shapeOf(nested('k'.repeat(1_000_000))).paths, [null]);
  assert.deepEqual(shapeOf(nested('k'.repeat(1020))).paths, [null]);
  // All of them together may not be long either.
  assert.deepEqual(shapeOf(nested('k'.repeat(50))).paths, [null]);
  assert.equal(shapeOf(nested('k'.repeat(30))).paths.length, 300);
});
