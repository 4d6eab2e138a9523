// Pages of blocks that lie over each other in time, of which a search looks at as few as it can: none is skipped or
// repeated, however small the pages are, and however much of what they find has to be asked of the documents.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { DocumentDatabase } from '#shared/store/embedded/database.ts';
import { documentsOf } from '#shared/store/embedded/store.ts';
import { parseQuery } from '#shared/store/query/parser.ts';
import type { StoreQuery } from '#shared/store/store.ts';
import { bulkRequest, testId } from '#test/contract/store-bodies.ts';

interface Line {
  readonly second: number;
  readonly sequence: number;
  /** A line whose words are looked for in its bytes, or one of which the document has to be asked. */
  readonly message: string | readonly string[];
}

const line: fc.Arbitrary<Line> = fc.record({
  second: fc.nat(40),
  sequence: fc.nat(3),
  message: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom('red', 'red green', 'greens', 'blue', 'r\u00e9d', 'a\\nred') },
    fc.constantFrom(['red'], ['greens', 'blue']),
  ),
});

/** Numbers of the documents, in the order in which the pages have them. */
function found(database: DocumentDatabase, query: StoreQuery): number[] {
  const numbers: number[] = [];
  let after: StoreQuery['after'];
  for (let pages = 0; ; pages++) {
    assert(pages < 2000, 'it gets no further');
    const page = database.page({ ...query, ...(after && { after }) }, Infinity);
    for (const { source } of page.rows) numbers.push(Number(/"n":(\d+)/.exec(source)?.[1]));
    assert(page.rows.length <= query.limit);
    const last = page.rows.at(-1);
    after = page.next ?? (last && [last.time, last.sequence, last.rowid]);
    if (page.isLast || after === undefined) return numbers;
  }
}

test('each once, in order', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(line, { minLength: 1, maxLength: 90 }), { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 12 }),
      (requests, limit) => {
        const folder = mkdtempSync(join(tmpdir(), 'sluice-first-'));
        const database = new DocumentDatabase({ folder, readOnly: false, retentionMs: 86_400_000, namesMax: 100 });
        const all: (Line & { readonly n: number })[] = [];
        for (const [batch, lines] of requests.entries()) {
          const documents = lines.map(({ second, sequence, message }, i) => {
            all.push({ second, sequence, message, n: all.length });
            const time = new Date(Date.UTC(2026, 0, 1) + second * 1000).toISOString();
            const document = { '@timestamp': time, message, event: { sequence }, attributes: { n: all.length - 1 } };
            return { id: testId(batch, i), index: 'logs-a-default', document };
          });
          database.write(documentsOf(bulkRequest(documents)));
        }
        const sorted = all.toSorted((a, b) => a.second - b.second || a.sequence - b.sequence || a.n - b.n);
        for (const word of ['red', 'green', 'green*', 'nowhere']) {
          const parsed = parseQuery(word, { nowMs: 0 });
          assert('where' in parsed);
          const has = word === 'green*' ? /\bgreens?\b/ : new RegExp(`\\b${word}\\b`);
          const expected = sorted.filter(({ message }) => has.test(String(message))).map(({ n }) => n);
          const query = { where: parsed.where, limit };
          assert.deepEqual(found(database, { ...query, order: 'oldest' }), expected, word);
          assert.deepEqual(found(database, { ...query, order: 'newest' }), expected.toReversed(), word);
        }
        database.close();
        rmSync(folder, { recursive: true });
      },
    ),
    { numRuns: 60 },
  );
});
