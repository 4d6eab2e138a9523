// What no deletion can take away, beside a bound that it passes: the documents that come are not deleted for it.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { it, type TestContext } from 'node:test';
import { DocumentDatabase } from '#shared/store/embedded/database.ts';
import { bulkRequest, testId } from '#test/contract/store-bodies.ts';
import { makeOldStore } from '../old-store.ts';
import { DOCUMENTS, incompressible } from './incompressible.ts';

const MIB = 2 ** 20;
const BOUND = 4 * MIB;
const PAGE_BYTES = 4096;
/** Of the bound without the part for the WAL: what documents have in any case. */
const KEPT_BYTES = (BOUND * 7) / 16;

/** A store of an earlier version, several times as large as the bound; returns its file. */
async function oldStore(t: TestContext): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-bound-'));
  t.after(() => rm(dataDir, { recursive: true }));
  const pad = 'p'.repeat(3000);
  const documentOf = (i: number) => ({
    id: testId(100_000 + i, 0),
    tag: 'tag',
    source: JSON.stringify({ '@timestamp': '2026-03-01T12:00:00.000Z', message: `old ${i} ${pad}` }),
  });
  makeOldStore(
    dataDir,
    Array.from({ length: 5000 }, (_, i) => documentOf(i)),
    3,
  );
  return join(dataDir, 'store', 'documents.sqlite');
}

/** One bit of a page of old rows; `share`: where in the table. */
async function damage(file: string, share: number): Promise<void> {
  const database = new DatabaseSync(file);
  database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  const sql = "SELECT pageno FROM dbstat WHERE name = 'documents' AND pagetype = 'leaf' ORDER BY path";
  const pages = database.prepare(sql).all();
  database.close();
  const page = Number(pages[Math.floor(pages.length * share)]?.['pageno']);
  const bytes = await readFile(file);
  const at = (page - 1) * PAGE_BYTES;
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  for (const suffix of ['-wal', '-shm']) await rm(file + suffix, { force: true });
  await writeFile(file, bytes);
}

const open = (file: string, told: string[]): DocumentDatabase =>
  new DocumentDatabase({
    folder: join(file, '..'),
    readOnly: false,
    retentionMs: 86_400_000,
    namesMax: 1000,
    bytesMax: BOUND,
    tell: (message) => told.push(message),
  });

function write(database: DocumentDatabase, number: number): void {
  const { body, items } = bulkRequest(incompressible(number));
  const bounds = Uint32Array.from([...items].flatMap(({ docStart, docEnd }) => [docStart, docEnd]));
  const streams = new Uint16Array(items.length);
  database.write({ body, ids: items.map(({ id }) => id), bounds, streams, streamNames: ['logs-sluice-default'] });
}

/** Until nothing more goes; returns how many documents went. */
function shed(database: DocumentDatabase): number {
  let sum = 0;
  for (let step = database.shed(); ; step = database.shed()) {
    sum += step.documents;
    if (!step.isMore) return sum;
  }
}

/** Of requests 1 to `last`: which are there, whole. */
function there(database: DocumentDatabase, last: number): number[] {
  const rows = database.page({ order: 'oldest', limit: 1_000_000 }, Infinity).rows;
  const counts = new Map<string, number>();
  for (const { id } of rows) counts.set(id.slice(0, 32), (counts.get(id.slice(0, 32)) ?? 0) + 1);
  return Array.from({ length: last }, (_, i) => i + 1).filter(
    (number) => counts.get(testId(number, 0).slice(0, 32)) === DOCUMENTS,
  );
}

it('a damaged page of an older store larger than the bound does not make what comes go', async (t) => {
  const file = await oldStore(t);
  await damage(file, 0.1);
  const told: string[] = [];
  let database = open(file, told);
  while (database.convert());
  assert.match(told.join('\n'), /Cannot convert documents of an earlier version/);
  const before = database.measure().usedBytes;
  assert(before > 2 * BOUND, `${before} bytes cannot be converted`);
  for (let number = 1; number <= 5; number++) {
    write(database, number);
    shed(database);
  }
  assert.deepEqual(there(database, 5), [1, 2, 3, 4, 5]);
  for (let number = 6; number <= 40; number++) {
    write(database, number);
    shed(database);
    // Its size has an end all the same.
    const added = database.measure().usedBytes - before;
    assert(added < KEPT_BYTES * 1.2, `${added} bytes were added after request ${number}`);
  }
  const left = there(database, 40);
  assert(left.length >= 5 && left.length < 20, `${left.join()} are left`);
  assert.deepEqual(
    left,
    left.map((_, i) => 41 - left.length + i),
  );
  const ofBound = told.filter((line) => line.includes('max_bytes'));
  assert.equal(ofBound.length, 1, told.join('\n'));
  assert.match(ofBound[0] ?? '', /of the embedded store can neither be converted nor deleted/);
  // It is the same after a restart.
  database.close();
  database = open(file, told);
  while (database.convert());
  shed(database);
  const again = there(database, 40);
  assert.deepEqual(again, left.slice(-again.length));
  assert(again.length >= 5, `${again.join()} are left after a restart`);
  database.close();
  assert((await stat(file)).size < before + 2 * KEPT_BYTES);
});

for (const [what, sql] of [
  ['its bytes', 'bytes = bytes - 8388608'],
  ['its documents', 'documents = documents - 1099511627776'],
  ['both', 'documents = -documents, bytes = -9000000000000000000'],
] as const)
  it(`a damaged row of a block, in ${what}, does not make more go than has to`, async (t) => {
    const dataDir = await mkdtemp(join(tmpdir(), 'sluice-bound-'));
    t.after(() => rm(dataDir, { recursive: true }));
    const file = join(dataDir, 'documents.sqlite');
    const told: string[] = [];
    const database = open(file, told);
    for (let number = 1; number <= 35; number++) write(database, number);
    const other = new DatabaseSync(file);
    other.exec(`UPDATE blocks SET ${sql} WHERE id = (SELECT min(id) + 1 FROM blocks)`);
    other.close();
    const gone = shed(database);
    const { usedBytes } = database.measure();
    assert(usedBytes > BOUND * 0.75, `${usedBytes} bytes are left`);
    assert(usedBytes < BOUND, `${usedBytes} bytes are left`);
    assert(gone > 0 && gone < 20 * DOCUMENTS, `${gone} are said to be gone`);
    assert.equal(there(database, 35).at(-1), 35);
    database.close();
  });
