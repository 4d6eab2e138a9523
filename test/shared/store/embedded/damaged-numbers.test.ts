// Single numbers of the file are changed, each in several ways: verify finds each of them, and no document is left out,
// or deleted, untold.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { it, suite, type TestContext } from 'node:test';
import { DocumentDatabase } from '#shared/store/embedded/database.ts';
import type { CountStart } from '#shared/store/embedded/search/page-reader.ts';
import { bulkRequest, testId } from '#test/contract/store-bodies.ts';

const DAY_MS = 86_400_000;
const SIZE = 100;
const BLOCKS = 3;

const flipped = (bit: bigint): string => `(X | ${bit}) - (X & ${bit})`;
const BITS = [flipped(2n ** 12n), flipped(2n ** 30n), flipped(2n ** 60n), '-X - 1'];

async function storeOf(t: TestContext): Promise<{ folder: string; change: (sql: string) => void }> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-numbers-'));
  t.after(() => rm(folder, { recursive: true }));
  const database = open(folder, []);
  for (let block = 0; block < BLOCKS; block++) write(database, block);
  database.close();
  const change = (sql: string): void => {
    const file = new DatabaseSync(join(folder, 'documents.sqlite'));
    file.exec(sql);
    file.close();
  };
  return { folder, change };
}

const open = (folder: string, told: string[], readOnly = false): DocumentDatabase =>
  new DocumentDatabase({ folder, readOnly, retentionMs: DAY_MS, namesMax: 100, tell: (message) => told.push(message) });

function write(database: DocumentDatabase, batch: number): void {
  const { body, items } = bulkRequest(
    Array.from({ length: SIZE }, (_, i) => ({
      id: testId(batch, i),
      index: 'logs-sluice-default',
      document: { '@timestamp': new Date(Date.UTC(2026, 0, 1) + batch * 1000 + i).toISOString(), message: `line ${i}` },
    })),
  );
  const bounds = Uint32Array.from(items.flatMap(({ docStart, docEnd }) => [docStart, docEnd]));
  const ids = items.map(({ id }) => id);
  database.write({ body, ids, bounds, streams: new Uint16Array(SIZE), streamNames: ['logs-sluice-default'] });
}

/** What `sluice store verify` says is damaged. */
function damageIn(folder: string): string[] {
  const database = open(folder, [], true);
  try {
    const { lastRow: rowMax } = database.inspection.summary();
    const damage: string[] = [];
    for (let after: number | null = 0; after !== null;) {
      const step = database.inspection.verify({ after, rowMax });
      damage.push(...step.damage.map(({ what, documents }) => `${documents} documents: ${what}`));
      after = step.next;
    }
    return [...damage, ...database.inspection.counts().damage];
  } finally {
    database.close();
  }
}

/** As an export reads it. */
function exported(folder: string): { readonly documents: number; readonly told: readonly string[] } {
  const told: string[] = [];
  const database = open(folder, told, true);
  let documents = 0;
  for (let rows: CountStart['rows'] = null; ;) {
    const { rows: found, next } = database.inOrder({ query: { order: 'oldest', limit: Infinity }, rows });
    documents += found.length;
    if (next === null) break;
    rows = next;
  }
  database.close();
  return { documents, told };
}

suite('of the row of a block: verify names it, and an export tells that its documents are missing', () => {
  const SPANS = ['row', 'time', 'sequence', 'arrival', 'ingested'];
  for (const column of ['documents', 'bytes', 'seal', ...SPANS.flatMap((name) => [`${name}_min`, `${name}_max`])])
    it(column, async (t) => {
      const { folder, change } = await storeOf(t);
      change('CREATE TABLE good AS SELECT * FROM blocks WHERE id = 2');
      for (const to of BITS) {
        change(`UPDATE blocks SET ${column} = ${to.replaceAll('X', column)} WHERE id = 2`);
        assert.deepEqual(damageIn(folder), ['100 documents: block 2 of the embedded store is damaged (its row)'], to);
        const { documents, told } = exported(folder);
        assert.equal(documents, 2 * SIZE, to);
        assert.match(told.join('\n'), /^[^\n]*block 2 of the embedded store is damaged \(its row\)[^\n]*$/, to);
        change(`UPDATE blocks SET ${column} = (SELECT ${column} FROM good) WHERE id = 2`);
      }
      assert.deepEqual(damageIn(folder), []);
      assert.deepEqual(exported(folder), { documents: BLOCKS * SIZE, told: [] });
    });
});
