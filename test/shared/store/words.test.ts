// The rule by which text is split.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { separateCjk, wordsOf } from '#shared/store/words.ts';

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
