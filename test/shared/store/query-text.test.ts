// The text of a search: which parts it has, and that no text is wrong.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { parseQueryText } from '#shared/store/query-text.ts';

/** Parts as `word word`, with `*` at the end of a prefix. */
function check(text: string, expected: string[]): void {
  const parts = parseQueryText(text).map(({ words, prefix }) => words.join(' ') + (prefix ? '*' : ''));
  assert.deepEqual(parts, expected, text);
}

it('makes parts of a query', () => {
  check('', []);
  check('   ', []);
  check('refused', ['refused']);
  check('Connection REFUSED', ['connection', 'refused']);
  check('"connection refused"', ['connection refused']);
  check('a "b c" d', ['a', 'b c', 'd']);
  check('a"b c"d', ['a', 'b c', 'd']);
  check('"never closed', ['never closed']);
  check('"', []);
  check('""', []);
  check('10.0.0.1', ['10 0 0 1']);
  check('user_id', ['user_id']);
  check('refus*', ['refus*']);
  check('"by peer*"', ['by peer*']);
  check('"by peer" *', ['by peer']);
  check('*', []);
  check('**', []);
  check('a*b', ['a b']);
  check('app.w**', ['app w*']);
  check('中文 log', ['中 文', 'log']);
  check('v2中文', ['v2 中 文']);
  check('-- -x AND (y', ['x', 'and', 'y']);
  check('größe e\u0301té', ['größe', 'e\u0301té']);
  check('नमस्ते', ['नमस्ते']);
});

it('takes every text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      for (const { words } of parseQueryText(text)) {
        assert(words.length > 0);
        for (const word of words) assert.match(word, /^[\p{L}\p{M}\p{N}_]+$/u);
      }
    }),
  );
});
