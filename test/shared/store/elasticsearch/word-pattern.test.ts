// The analyzer splits text as words.ts does: Lucene's own classes are asked, on a real server.

import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { templatesOf } from '#shared/store/elasticsearch/template.ts';
import { wordPattern } from '#shared/store/elasticsearch/word-pattern.ts';
import { isCjkCharacter, isWordCharacter, WORD_MAX, wordsOf } from '#shared/store/words.ts';
import { elasticsearch } from '#test/backends/elasticsearch.ts';
import { seeded } from '#test/indexer/world.ts';

const INDEX = 'word-pattern-test';
const SEED = 20261122;
const TEXTS = 5000;
const TEXTS_AT_ONCE = 100;
/** First code points of blocks: Latin, accents, Greek, Cyrillic, Arabic, Devanagari, symbols, CJK, Hangul, emoji, … */
const BLOCKS = [
  0x20, 0x20, 0x41, 0x61, 0xc0, 0x300, 0x370, 0x400, 0x590, 0x620, 0x900, 0xe00, 0x1100, 0x2000, 0x2150, 0x3000, 0x3040,
  0x30a0, 0x4e00, 0xac00, 0xfb00, 0xff00, 0x10000, 0x16f00, 0x1d400, 0x1f600, 0x20000, 0xe0100,
];
const BLOCK_SIZE = 0x60;

const server = await elasticsearch();

test('the pattern leaves out every character of a word, and nothing else', () => {
  const pattern = wordPattern();
  const split = pattern.indexOf(']|[^');
  const [cjk, words] = [pattern.slice(2, split), pattern.slice(split + 4, -2)];
  assert.equal(pattern, `[^${cjk}]|[^${words}]+`);
  const isPlain = (code: number): boolean =>
    (code < 0xd800 || code > 0xdfff) && !['-', '\\', ']'].includes(String.fromCodePoint(code));
  const members = (inside: string): number => {
    let count = 0x110000;
    const codes = Array.from(inside, (character) => character.codePointAt(0) ?? 0);
    let last = -1;
    for (let i = 0; i < codes.length; i++) {
      const first = codes[i] ?? 0;
      const isRange = codes[i + 1] === 0x2d && i + 2 < codes.length;
      const end = isRange ? (codes[i + 2] ?? 0) : first;
      // In order and apart, no half of a character, and nothing that means something in a class.
      assert(first > last && end >= first && isPlain(first) && isPlain(end), `${last}: ${first}-${end}`);
      last = end;
      count -= end - first + 1;
      if (isRange) i += 2;
    }
    return count;
  };
  const expected = { cjk: 0, words: 0 };
  for (let code = 0; code < 0x110000; code++) {
    if (code >= 0xd800 && code <= 0xdfff) continue;
    const character = String.fromCodePoint(code);
    if (isCjkCharacter(character)) expected.cjk++;
    if (isWordCharacter(character)) expected.words++;
  }
  assert(expected.cjk > 90_000 && expected.words > 30_000);
  assert.deepEqual({ cjk: members(cjk), words: members(words) }, expected);
});

suite('a real server', { skip: server ? false : 'SKIPPED: no Elasticsearch' }, () => {
  const url = `${server?.url}/${INDEX}`;
  const headers = { 'content-type': 'application/json' };

  before(async () => {
    const settings = templatesOf({ splitting: 'exact' })
      .map(({ body }) => JSON.parse(body) as { template: { settings?: { analysis: unknown } } })
      .find(({ template }) => template.settings)?.template.settings;
    assert(settings);
    const body = JSON.stringify({ settings: { analysis: settings.analysis } });
    const answer = await fetch(url, { method: 'PUT', headers, body });
    assert.equal(answer.status, 200, await answer.text());
  });
  after(() => fetch(url, { method: 'DELETE' }));

  /** Of several texts at once, which no word of one joins to the next. */
  const tokensOf = async (text: string | readonly string[]): Promise<string[]> => {
    const body = JSON.stringify({ analyzer: 'sluice_text', text });
    const answer = await fetch(`${url}/_analyze`, { method: 'POST', headers, body });
    assert.equal(answer.status, 200);
    return ((await answer.json()) as { tokens: { token: string }[] }).tokens.map(({ token }) => token);
  };

  const long = (letter: string, units: number): string => letter.repeat(Math.ceil(units / letter.length));
  for (const text of [
    '',
    'GET /api/users?id=42&name=o\'brien HTTP/1.1" 500 12 "10.0.0.1"',
    'snake_case camelCase kebab-case ÄÖÜ straße',
    '数据库连接失败 カタカナ ひらがな 한국어 mixed数据mixed',
    'key:value\tüser=ñandú\u0301\n<b>',
    'e\u0301te\u0301 \u0301alone क्षि १२३ ٤٥٦ ½ Ⅷ x² 𝟘𝟙𝟚',
    '𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𠀀𠀁 𐐀𐐁 👩‍👩‍👧 a\u{e0100}b',
    long('x', WORD_MAX - 1),
    long('x', WORD_MAX),
    `${long('x', WORD_MAX + 1)} after`,
    `${long('Ä', 20_000)} after`,
    `x${long('𐐨', 20_000)} after`,
    `${long('𐐨', 20_000)} after`,
  ]) {
    test(JSON.stringify(text.slice(0, 60)), async () => {
      const [tokens, words] = [await tokensOf(text), wordsOf(text)];
      // Not deepEqual: its message would hold all of a long word.
      assert.equal(tokens.length, words.length);
      // Lucene cuts between the halves of a character where we do not; the half is no letter that could be asked for.
      const whole = tokens.map((token) => token.replace(/[?\uFFFD\uD800-\uDBFF]$/, ''));
      for (const [at, token] of whole.entries()) assert(token === words[at], `${at}: ${token.slice(0, 20)}`);
    });
  }

  test(`${TEXTS} texts of all scripts`, async () => {
    const random = seeded(SEED);
    const texts = Array.from({ length: TEXTS }, () => {
      const codes = Array.from({ length: 1 + Math.floor(random() * 40) }, () => {
        const block = BLOCKS[Math.floor(random() * BLOCKS.length)] ?? 0x20;
        return block + Math.floor(random() * BLOCK_SIZE);
      });
      return String.fromCodePoint(...codes);
    });
    for (let at = 0; at < TEXTS; at += TEXTS_AT_ONCE) {
      const some = texts.slice(at, at + TEXTS_AT_ONCE);
      const tokens = (await tokensOf(some)).map(byCharacter);
      assert.deepEqual(tokens, some.flatMap(wordsOf).map(byCharacter), JSON.stringify(some));
    }
  });
});

/**
 * JavaScript's lower case heeds what stands around (Σ at a word's end) and makes two characters of İ; Lucene's goes
 * character by character. And the two may know different versions of Unicode. What they have in common is compared.
 */
function byCharacter(word: string): string {
  return word.toLowerCase().replaceAll('i\u0307', 'i').replaceAll('ς', 'σ');
}
