// Single numbers of the file are changed, each in several ways: verify finds each of them, and no document is left out,
// or deleted, untold.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { it, suite, type TestContext } from 'node:test';
import { DocumentDatabase } from '#shared/store/embedded/database.ts';
import type { CountStart } from '#shared/store/embedded/search/row-page.ts';
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
  const bounds = Uint32Array.from([...items].flatMap(({ docStart, docEnd }) => [docStart, docEnd]));
  const ids = items.map(({ id }) => id);
  database.write({ body, ids, bounds, streams: new Uint16Array(SIZE), streamNames: ['logs-sluice-default'] });
}

const at = (days: number) => ({ epochMs: 2e12 + days * DAY_MS, monotonicMs: days * DAY_MS });
const expire = (database: DocumentDatabase, days: number): number => {
  let deleted = 0;
  for (let more = 1; more > 0; deleted += more) more = database.expire({ now: at(days), limit: 1000 }).documents;
  return deleted;
};

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

suite('of the counter and of the age marks: verify names it, and no young document ends by age', () => {
  const mark = (column: string, to: string): string =>
    `UPDATE age_marks SET ${column} = ${to.replaceAll('X', column)} WHERE passed = (SELECT max(passed) FROM age_marks)`;
  const changes: readonly (readonly [name: string, sql: string])[] = [
    ...['X & ~256', '-X - 1', flipped(2n ** 60n), '0'].map(
      (to) => [`counter ${to}`, `UPDATE counters SET value = ${to.replaceAll('X', 'value')}`] as const,
    ),
    ['counter gone', 'DELETE FROM counters'],
    ...[4096n, 2n ** 30n, 2n ** 60n].map((bit) => [`mark | ${bit}`, mark('last', flipped(bit))] as const),
    ['mark negative', mark('last', '-X - 1')],
    ['mark of before', mark('passed', '-X - 1')],
  ];
  for (const [name, sql] of changes)
    it(name, async (t) => {
      const { folder, change } = await storeOf(t);
      let database = open(folder, []);
      expire(database, 0);
      for (let batch = 10; batch < 20; batch++) write(database, batch);
      expire(database, 0.5);
      database.close();
      assert.deepEqual(damageIn(folder), []);
      change(sql);
      assert.match(damageIn(folder).join('\n'), /^(The number of the last|\d of the notes)[^\n]*$/);
      database = open(folder, []);
      for (let batch = 20; batch < 25; batch++) write(database, batch);
      // Some of those at the beginning may be kept for longer.
      assert(expire(database, 1.1) <= BLOCKS * SIZE);
      assert(database.inspection.summary().documents >= 15 * SIZE);
      assert.deepEqual(database.inspection.counts().damage.length, 0, 'mended');
      // All of them end at last.
      expire(database, 2.2);
      expire(database, 4);
      expire(database, 6);
      assert.equal(database.inspection.summary().documents, 0);
      database.close();
    });
});

it('of the list of free pages: verify names it', async (t) => {
  const { folder, change } = await storeOf(t);
  change(
    'CREATE TABLE junk (x BLOB); INSERT INTO junk VALUES (zeroblob(400000)); DROP TABLE junk; ' +
      'PRAGMA wal_checkpoint(TRUNCATE)',
  );
  assert.deepEqual(damageIn(folder), []);
  const path = join(folder, 'documents.sqlite');
  const good = await readFile(path);
  const trunk = (good.readUInt32BE(32) - 1) * 4096;
  const last = trunk + 8 + 4 * (good.readUInt32BE(trunk + 4) - 1) + 3;
  for (const [name, place, bit] of [
    ['how many pages are free', 39, 0x40],
    ['how many are on this one', trunk + 4, 0x40],
    ['one of them', last, 2],
    ['one of them', last, 16],
  ] as const) {
    const bytes = Buffer.from(good);
    bytes[place] = (bytes[place] ?? 0) ^ bit;
    await writeFile(path, bytes);
    assert.match(damageIn(folder).join('\n'), /^The file: /, name);
  }
});

suite('of the names', () => {
  it('that are more than there ever were: verify names it', async (t) => {
    const { folder, change } = await storeOf(t);
    change('UPDATE names SET last = last + 1024 WHERE batch = (SELECT min(batch) FROM names)');
    assert.match(damageIn(folder).join('\n'), /^1024 names have no document, and never had one/);
  });

  it('of a damaged block that ended: they are left, and that is no damage', async (t) => {
    const { folder, change } = await storeOf(t);
    change(
      'UPDATE parts SET data = zeroblob(length(data)) WHERE id / 1024 = (SELECT min(id) FROM blocks) AND id % 1024 > 0',
    );
    const database = open(folder, []);
    expire(database, 0);
    expire(database, 6);
    const { documents } = database.inspection.summary();
    const { damage, remarks } = database.inspection.counts();
    database.close();
    assert.equal(documents, 0);
    assert.deepEqual(damage, []);
    assert.match(remarks.join('\n'), new RegExp(`^${SIZE} names have no document, as those of damaged blocks`));
  });
});
