// The rule by which text is split.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { separateCjk, shortenWords, WORD_MAX, wordsOf } from '#shared/store/words.ts';

it('splits text into words', () => {
  const check = (text: string, expected: string[]) => assert.deepEqual(wordsOf(text), expected, text);
  check('', []);
  check('GET /api/v1?q=1', ['get', 'api', 'v1', 'q', '1']);
  check('snake_case __init__ kebab-case', ['snake_case', '__init__', 'kebab', 'case']);
  check('10.0.0.1:8080', ['10', '0', '0', '1', '8080']);
  check("don't", ['don', 't']);
  check('数据库A1连', ['数', '据', '库', 'a1', '连']);
  check('ひらカタ한글', ['ひ', 'ら', 'カ', 'タ', '한', '글']);
  check('𠀀𠀁', ['𠀀', '𠀁']);
  check('⺀ ㈱ x⼀y 〇々', ['x', 'y', '〇', '々']);
  check('Ünï ÅNGSTRÖM', ['ünï', 'ångström']);
  check('e\u0301', ['e\u0301']);
  check('😀 ok 👍', ['ok']);
  check('\ud800x', ['x']);
});

it('sets CJK characters apart and leaves all else', () => {
  const check = (text: string, expected: string) => assert.equal(separateCjk(text), expected);
  check('plain größe…', 'plain größe…');
  check('中文a', ' 中  文 a');
  check('“quoted”', '“quoted”');
});

it('takes of a very long word what an index can hold', () => {
  const check = (text: string, expected: string) => {
    const shortened = shortenWords(text);
    assert(shortened === expected, `${text.slice(0, 20)}…: ${shortened.length} units`);
    assert.deepEqual(wordsOf(text), wordsOf(expected));
    for (const word of wordsOf(text)) assert(Buffer.byteLength(word) < 32_766);
  };
  const full = 'a'.repeat(WORD_MAX);
  check(full, full);
  check(`${full}b`, full);
  check(`x ${full}b-${full}${full} y`, `x ${full}-${full} y`);
  check(`${'word '.repeat(5000)}${full}${full}`, `${'word '.repeat(5000)}${full}`);
  check(`${'-'.repeat(WORD_MAX)}${full}z`, `${'-'.repeat(WORD_MAX)}${full}`);
  check('é'.repeat(20_000), 'é'.repeat(WORD_MAX));
  check('中'.repeat(20_000), '中'.repeat(20_000));
  check(`${full}中${full}b`, `${full}中${full}`);
  check(`${'a'.repeat(WORD_MAX - 1)}中b`, `${'a'.repeat(WORD_MAX - 1)}中b`);
  // Two units each, and none is cut in half.
  check('𝒳'.repeat(10_000), '𝒳'.repeat((WORD_MAX - 1) / 2));
  check('\ude00'.repeat(20_000), '\ude00'.repeat(20_000));
  check('a'.repeat(16 * 1024 * 1024), full);
});
