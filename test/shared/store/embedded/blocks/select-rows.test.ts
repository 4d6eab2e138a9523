// What the columns of a block say of a query is what its documents say: no document that is meant is missed, and where
// the answer is said to be exact, none is there that is not meant.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { BlockReader } from '#shared/store/embedded/blocks/decode-block.ts';
import { encodeBlock } from '#shared/store/embedded/blocks/encode-block.ts';
import { selectRows } from '#shared/store/embedded/blocks/select-rows.ts';
import { parseExactJson } from '#shared/store/exact-json.ts';
import type { Document } from '#shared/store/query/document-values.ts';
import { matches } from '#shared/store/query/matches.ts';
import { parseQueryText } from '#shared/store/query-text.ts';
import { parseQuery } from '#shared/store/query/parser.ts';
import type { Where } from '#shared/store/where.ts';

function readerOf(texts: readonly string[]): BlockReader {
  const known = { time: 1n, sequence: 0, ingestedMs: 0, created: null, origin: 1 };
  const { head, beside } = encodeBlock(texts.map((text, row) => ({ ...known, id: `id-${row}`, row, text })));
  return new BlockReader(head, (number) => beside.get(number) ?? assert.fail(`no part ${number}`));
}

/** Returns whether the answer was exact. */
function check(where: Where, reader: BlockReader, texts: readonly string[]): boolean {
  const { rows, isExact } = selectRows(where, reader);
  for (const [row, text] of texts.entries()) {
    const isMeant = matches(where, parseExactJson(text) as Document);
    if (isMeant || isExact) assert.equal(rows[row] === 1, isMeant, `${text} ${JSON.stringify(where)}`);
  }
  return isExact;
}

const wordsIn = (text: string): Where => {
  const [term = assert.fail(text)] = parseQueryText(text);
  return { kind: 'words', term };
};

const piece = fc.constantFrom(
  'a', 'b', 'ab', 'A', 'nab', 'n', 'u', 'u0041', '_', '1', '1.50', ' ', '  ', '-', '"', '\\', '\n', '\t', '\b', '/',
  '\u0001', 'é', '中', '文', '\u212a', 'İ', '\ud83d\ude00', 'null', 'true', '[', '{',
); // prettier-ignore
const text = fc.array(piece, { maxLength: 7 }).map((pieces) => pieces.join(''));
const value = fc.oneof(
  { weight: 8, arbitrary: text },
  fc.constantFrom<unknown>(null, true, 1, 1.5, [], ['a', 'b a'], [['ab']], {}, { a: 'b' }, 'a'.repeat(9000)),
);
const document = fc.record(
  {
    message: value,
    attributes: fc.oneof(fc.dictionary(fc.constantFrom('a', 'b', 'a.b'), value, { maxKeys: 2 }), value),
  },
  { requiredKeys: [] },
);
const query = fc
  .tuple(fc.array(piece, { minLength: 1, maxLength: 4 }), fc.boolean(), fc.boolean())
  .map(([pieces, isQuoted, isPrefix]) => {
    const raw = pieces.join('').replaceAll('"', ' ');
    return isQuoted ? `"${raw}${isPrefix ? '*' : ''}"` : raw.replaceAll(/\s/g, '') + (isPrefix ? '*' : '');
  })
  .filter((written) => parseQueryText(written).length > 0);

it('words, whatever stands round them', () => {
  const seen = { exact: 0, found: 0 };
  fc.assert(
    fc.property(
      fc.array(document, { minLength: 1, maxLength: 12 }),
      fc.array(query, { minLength: 1 }),
      (some, queries) => {
        // Twice of each is a dictionary; the others are lines.
        for (const documents of [some, [...some, ...some, ...some]]) {
          const texts = documents.map((each) => JSON.stringify(each));
          const reader = readerOf(texts);
          for (const where of queries.map(wordsIn)) {
            if (check(where, reader, texts)) seen.exact += 1;
            if (selectRows(where, reader).rows.includes(1)) seen.found += 1;
          }
        }
      },
    ),
    { numRuns: 700 },
  );
  assert(seen.exact > 500 && seen.found > 500, JSON.stringify(seen));
});

it('words and fields of lines, exactly', () => {
  const texts = Array.from({ length: 300 }, (_, i) =>
    JSON.stringify({
      message: `GET /${i} status=${i % 7 === 0 ? 500 : 200} "quoted" took\n${i}ms`,
      attributes: { took: i, path: `C:\\new\\${i}` },
      log: { level: i % 5 === 0 ? 'ERROR' : 'info' },
    }),
  );
  const reader = readerOf(texts);
  const count = (where: Where): number => {
    assert.equal(check(where, reader, texts), true, JSON.stringify(where));
    return selectRows(where, reader).rows.reduce((sum, row) => sum + row, 0);
  };
  const field = (written: string): Where => {
    const parsed = parseQuery(written, { nowMs: 0 });
    return 'mistake' in parsed ? assert.fail(parsed.mistake.message) : parsed.where;
  };
  const expected: readonly (readonly [Where, number])[] = [
    [wordsIn('"status 500"'), 43],
    [wordsIn('"status 50*"'), 43],
    [wordsIn('"get 12*"'), 11],
    [wordsIn('"quoted took 7ms"'), 1],
    [wordsIn('n7ms'), 0],
    [wordsIn('new'), 300],
    [wordsIn('ew'), 0],
    [wordsIn('"new 299"'), 1],
    [wordsIn('中'), 0],
    [field('message:quoted'), 300],
    [field('level:error'), 60],
    [field('took>=290'), 10],
    [field('-level:error'), 240],
  ];
  assert.deepEqual(
    expected.map(([where]) => count(where)),
    expected.map(([, number]) => number),
  );
});
