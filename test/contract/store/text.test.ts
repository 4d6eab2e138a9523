// What every store finds by text: words and phrases, in messages and in attributes.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { day, messages, readStores, statuses } from './stores.ts';

for (const { name, options, use } of readStores) {
  describe(name, options, () => {
    const stored = use();

    it('finds by text', async () => {
      const { since, until, at } = day(9);
      const texts = [
        'Connection refused by peer', // 0
        'connection to peer was refused', // 1
        'user_id=42 snake_case', // 2
        '数据库连接失败 on node7', // 3
        'データベース 接続', // 4
        'GRÖSSE größer', // 5
        'ERROR: [main] disk/full (95%)', // 6
      ];
      await stored.write(stored.numbered(texts.map((message, i) => ({ '@timestamp': at(i), message }))));
      const check = async (text: string, expected: number[]) =>
        assert.deepEqual(
          (await stored.search({ since, until, text })).map(({ source }) => texts.indexOf(String(source['message']))),
          expected,
          text,
        );
      await check('refused', [0, 1]);
      await check('REFUSED connection', [0, 1]);
      await check('"connection refused"', [0]);
      await check('connection-refused', [0]);
      await check('refus', []);
      await check('refus*', [0, 1]);
      await check('"by pe*"', [0]);
      await check('"connection ref*" peer', [0]);
      await check('user_id', [2]);
      await check('user', []);
      await check('snake', []);
      await check('42', [2]);
      await check('数据库', [3]);
      await check('连接', [3]);
      await check('接连', []);
      await check('失', [3]);
      await check('node7 连接', [3]);
      await check('接続', [4]);
      await check('grösse', [5]);
      await check('größer', [5]);
      await check('grosse', []);
      await check('main disk', [6]);
      await check('95%', [6]);
      await check('"main disk full"', [6]);
      await check('', [0, 1, 2, 3, 4, 5, 6]);
      await check('-- "" * " AND (', []);
      await check('-- "" * " (', [0, 1, 2, 3, 4, 5, 6]);
      await check('NEAR(refused) OR', []);
      await check('message:refused', []);
    });

    it('splits text at all but letters, digits and `_`', async (test) => {
      const { since, until, at } = day(10);
      const texts = ['10.0.0.1 app.web', 'key:value 1,000', 'カタカナ', '한국어', "don't"];
      await stored.write(stored.numbered(texts.map((message, i) => ({ '@timestamp': at(i), message }))));
      const differing: string[] = [];
      const check = async (text: string, expected: number[]) => {
        const documents = await stored.search({ since, until, text });
        const got = documents.map(({ source }) => texts.indexOf(String(source['message'])));
        if (stored.opened.splitsExactly) assert.deepEqual(got, expected, text);
        else if (JSON.stringify(got) !== JSON.stringify(expected)) differing.push(`${text} found [${got.join()}]`);
      };
      await check('web', [0]);
      await check('"0 0"', [0]);
      await check('value', [1]);
      await check('000', [1]);
      await check('カナ', [2]);
      await check('국', [3]);
      await check('don', [4]);
      // What is typed whole is found whatever the server splits by.
      for (const [i, text] of ['10.0.0.1', 'key:value', 'カタカナ', '한국어', "don't"].entries()) {
        assert.deepEqual(messages(await stored.search({ since, until, text })), [texts[i]], text);
      }
      if (stored.opened.splitsExactly) return;
      // The server has no module analysis-common: these are the cases in which its standard tokenizer leaves words
      // whole.
      assert.deepEqual(differing, [
        'web found []',
        '"0 0" found []',
        'value found []',
        '000 found []',
        'カナ found []',
        '국 found []',
        'don found []',
      ]);
      test.diagnostic(`differs by the standard tokenizer: ${differing.join('; ')}`);
    });

    it('finds words inside attributes', async () => {
      const { since, until, at } = day(11);
      const attributes: Record<string, unknown>[] = [
        { error: 'Connection refused: 10.0.0.1', code: 111 },
        { nested: { list: ['alpha beta', 'gamma'] }, ok: true },
        { text: '数据库连接失败', größe: 'Überlänge' },
        { snake: 'user_id' },
      ];
      await stored.write(
        stored.numbered(attributes.map((given, i) => ({ '@timestamp': at(i), message: `m${i}`, attributes: given }))),
      );
      const check = async (text: string, expected: string[]) =>
        assert.deepEqual(messages(await stored.search({ since, until, text })), expected, text);
      await check('refused', ['m0']);
      await check('REFUSED connection', ['m0']);
      await check('"connection refused"', ['m0']);
      await check('10.0.0.1', ['m0']);
      await check('0.0', ['m0']);
      await check('111', ['m0']);
      await check('11', []);
      await check('11*', ['m0']);
      await check('m0 refused', ['m0']);
      await check('m1 refused', []);
      await check('beta gamma', ['m1']);
      await check('"beta gamma"', []);
      await check('true', ['m1']);
      await check('连接', ['m2']);
      await check('überlänge', ['m2']);
      await check('länge', []);
      await check('user', []);
      await check('user_id', ['m3']);
      await check('error', []);
    });

    it('takes words of any length, and finds them by what was typed', async () => {
      const { since, until, at } = day(18);
      const words = ['x'.repeat(40_000), 'é'.repeat(20_000), '𝒳'.repeat(9000), 'y'.repeat(8192), 'z'.repeat(8191)];
      const outcomes = await stored.write(
        stored.numbered(words.map((word, i) => ({ '@timestamp': at(i), message: `before ${word} after` }))),
      );
      assert.deepEqual(statuses(outcomes), [201, 201, 201, 201, 201]);
      assert.equal((await stored.search({ since, until, text: 'before after' })).length, 5);
      // A name may be as long as a keyword; the server refuses prefixes of more than 1,000.
      for (const length of [1000, 1001, 1024, 40_000])
        assert.deepEqual(await stored.search({ since, until, name: 'x'.repeat(length) }), []);
      for (const [i, word] of words.entries()) {
        for (const text of [
          word,
          `"${word} after"`,
          `${word.slice(0, 100)}*`,
          ...(stored.opened.splitsExactly ? [`${word}*`] : []),
        ]) {
          const ids = (await stored.search({ since, until, text })).map(({ source }) => source['@timestamp']);
          assert.deepEqual(ids, [at(i)], `${text.length} characters of ${word.slice(0, 2)}`);
        }
      }
    });
  });
}
