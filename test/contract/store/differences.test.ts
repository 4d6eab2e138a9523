// Where the stores do not agree on a query: the closed list of docs/search.md. All else is in queries.test.ts.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseQuery } from '#shared/store/query/parser.ts';
import { day, messages, readStores } from './stores.ts';

const MANY_WORDS = 1200;

for (const { name, options, use } of readStores) {
  describe(name, options, () => {
    const stored = use();
    const isEmbedded = name.startsWith('embedded');

    const search = async (text: string, { since, until }: { since: string; until: string }) => {
      const parsed = parseQuery(text, { nowMs: 0 });
      assert('where' in parsed, text);
      return messages(await stored.search({ since, until, where: parsed.where, limit: 10_000 }));
    };

    it('words in a row of an attribute: Elasticsearch passes over words without ASCII between them', async () => {
      const range = day(22);
      const attributes = [
        { a: 'error größe timeout' },
        { a: 'error 连接 timeout' },
        { a: 'error x timeout' },
        { a: 'error: timeout' },
      ];
      await stored.write(
        stored.numbered(
          attributes.map((given, i) => ({ '@timestamp': range.at(i), message: `m${i}`, attributes: given })),
        ),
      );
      const found = await search('"error timeout"', range);
      assert.deepEqual(found, isEmbedded ? ['m3'] : stored.opened.splitsExactly ? ['m1', 'm3'] : found);
    });

    it('words in a row, the last a beginning: Elasticsearch tries the first 1,000 words that begin so', async () => {
      const range = day(23);
      const word = (i: number) => `w${String(i).padStart(5, '0')}`;
      await stored.write(
        stored.numbered(
          Array.from({ length: MANY_WORDS }, (_, i) => ({ '@timestamp': range.at(i), message: `before ${word(i)}` })),
        ),
      );
      assert.equal((await search('"before w0*"', range)).length, isEmbedded ? MANY_WORDS : 1000);
      assert.equal((await search('before w0*', range)).length, MANY_WORDS);
    });

    it('numbers of documents without the list of them: an index of an older Sluice compares none', async () => {
      const range = day(24);
      await stored.write(stored.numbered([{ '@timestamp': range.at(0), message: 'old', attributes: { status: 500 } }]));
      assert.deepEqual(await search('status>=500', range), isEmbedded ? ['old'] : []);
      assert.deepEqual(await search('status:500', range), ['old']);
    });
  });
}
