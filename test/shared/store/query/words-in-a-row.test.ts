// Words in a row: the same as looking at every place, and in time that does not multiply the text by the phrase.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hasWords } from '#shared/store/query/matches.ts';

const word = fc.constantFrom('a', 'b', 'ab', 'aab');
const few = (max: number) => fc.array(word, { maxLength: max });

function atAnyPlace(all: readonly string[], words: readonly string[], prefix: boolean): boolean {
  return all.some((_, start) =>
    words.every((one, i) => {
      const there = all[start + i];
      return there === one || (prefix && i === words.length - 1 && there?.startsWith(one) === true);
    }),
  );
}

test('the same as at any place', () => {
  fc.assert(
    fc.property(few(40), fc.array(word, { minLength: 1, maxLength: 8 }), fc.boolean(), (all, words, prefix) => {
      assert.equal(hasWords(all.join(' '), { raw: '', words, prefix }), atAnyPlace(all, words, prefix));
    }),
    { numRuns: 2000 },
  );
});

test('a long phrase of what the text repeats', () => {
  const text = 'a '.repeat(100_000);
  let looked = 0;
  // Counts how often one of its words is asked for.
  const words = new Proxy([...new Array<string>(4000).fill('a'), 'b'], {
    get: (target, key) => {
      looked += 1;
      return Reflect.get(target, key) as unknown;
    },
  });
  assert.equal(hasWords(text, { raw: '', words, prefix: false }), false);
  assert(looked < 1_000_000, `${looked}`);
});
