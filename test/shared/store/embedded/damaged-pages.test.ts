// A damaged page of the file costs the documents in it: neither searches of the others, nor that they end by age.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { it, type TestContext } from 'node:test';
import { DocumentDatabase } from '#shared/store/embedded/database.ts';
import { bulkRequest, testId } from '#test/contract/store-bodies.ts';
import { countAll } from './count-all.ts';
import { makeOldStore } from './old-store.ts';

const DAY_MS = 86_400_000;
const PAGE_BYTES = 4096;
const BATCHES = 6;
const SIZE = 300;
const ALL = { order: 'oldest', limit: 1_000_000 } as const;

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'sluice-pages-'));
  t.after(() => rm(path, { recursive: true }));
  return path;
}

const open = (path: string, told: string[]): DocumentDatabase =>
  new DocumentDatabase({
    folder: join(path, 'store'),
    readOnly: false,
    retentionMs: DAY_MS,
    namesMax: 1000,
    tell: (message) => told.push(message),
  });

function write(database: DocumentDatabase, batch: number, size = SIZE): void {
  const { body, items } = bulkRequest(
    Array.from({ length: size }, (_, i) => ({
      id: testId(batch, i),
      index: 'logs-sluice-default',
      document: {
        '@timestamp': new Date(Date.UTC(2026, 0, 1) + batch * 1000 + i).toISOString(),
        message: `line ${i} ${((batch * 1_000_003 + i + 1) * 2654435761).toString(36)}`,
      },
    })),
  );
  const bounds = Uint32Array.from([...items].flatMap(({ docStart, docEnd }) => [docStart, docEnd]));
  const ids = items.map(({ id }) => id);
  const streams = new Uint16Array(size);
  database.write({ body, ids, bounds, streams, streamNames: ['logs-sluice-default'] });
}

it('one of the parts of blocks', async (t) => {
  const path = await folder(t);
  const file = join(path, 'store', 'documents.sqlite');
  const told: string[] = [];
  const whole = open(path, told);
  for (let batch = 0; batch < BATCHES; batch++) write(whole, batch);
  whole.checkpoint();
  whole.close();
  const pages = leavesOf(file);
  assert(pages.length >= 3, `${pages.length} pages`);
  const good = await readFile(file);
  let damaged = 0;
  for (const page of pages) {
    const bytes = Buffer.from(good);
    const at = (page - 1) * PAGE_BYTES;
    bytes[at] = (bytes[at] ?? 0) ^ 0x10;
    for (const suffix of ['-wal', '-shm']) await rm(file + suffix, { force: true });
    await writeFile(file, bytes);
    const database = open(path, ((told.length = 0), told));
    const found = database.page(ALL, Infinity).rows.length;
    assert.equal(database.page({ ...ALL, text: 'line' }, Infinity).rows.length, found);
    assert.equal(countAll(database, { ...ALL, text: 'line' }), found);
    if (found < BATCHES * SIZE) damaged += 1;
    assert.equal(found % SIZE, 0, 'blocks as a whole');
    if (found < BATCHES * SIZE) assert.match(told.join('\n'), /Cannot read some documents/);
    write(database, 100, 1);
    assert.equal(database.page(ALL, Infinity).rows.length, found + 1);
    // Each document that can be read, though not all of its bytes may be overwritten.
    assert.equal(eraseAll(database), found / SIZE);
    assert.equal(countAll(database, { ...ALL, text: '"line 7"' }), 0);
    const expire = (days: number): number =>
      database.expire({ now: { epochMs: 2e12 + days * DAY_MS, monotonicMs: days * DAY_MS }, limit: 1000 }).documents;
    expire(0);
    while (expire(2) > 0);
    assert.equal(database.page(ALL, Infinity).rows.length, 0);
    database.close();
  }
  assert(damaged > 0);
});

it('the last one of the parts of blocks: what comes is kept apart from it', async (t) => {
  const path = await folder(t);
  const file = join(path, 'store', 'documents.sqlite');
  const told: string[] = [];
  let database = open(path, told);
  for (let batch = 0; batch < BATCHES; batch++) write(database, batch);
  for (let round = 1; round <= 2; round++) {
    database.checkpoint();
    database.close();
    const bytes = await readFile(file);
    const last = leavesOf(file, round === 1 ? 'parts' : `parts_${BATCHES + 1}`).at(-1) ?? 0;
    const at = (last - 1) * PAGE_BYTES;
    bytes[at] = (bytes[at] ?? 0) ^ 0x10;
    await writeFile(file, bytes);
    database = open(path, ((told.length = 0), told));
    const there = new DocumentDatabase({ folder: join(path, 'store'), readOnly: true, retentionMs: 0, namesMax: 10 });
    const before = there.page(ALL, Infinity).rows.length;
    for (let batch = 0; batch < 40; batch++) write(database, round * 100 + batch, 20);
    assert.equal(told.filter((line) => line.includes('what comes is kept apart from it')).length, 1, told.join('\n'));
    while (database.merge());
    for (const reader of [there, database]) assert.equal(reader.page(ALL, Infinity).rows.length, before + 40 * 20);
    assert.equal(countAll(database, { ...ALL, text: '"line 7"' }), countAll(there, { ...ALL, text: '"line 7"' }));
    there.close();
  }
  database.close();
});

function eraseAll(database: DocumentDatabase, text = '"line 7"'): number {
  let erased = 0;
  for (let after = null, step; ; after = step.next) {
    step = database.erase({ query: { ...ALL, text }, after });
    erased += step.erased;
    if (step.next === null) return erased;
  }
}

function leavesOf(file: string, table = 'parts'): number[] {
  const database = new DatabaseSync(file, { readOnly: true });
  const leaves = database
    .prepare("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path")
    .all(table);
  database.close();
  return leaves.map(({ pageno }) => Number(pageno));
}

it('a row of the list of blocks is told when the store is opened, though no search looks at it', async (t) => {
  const path = await folder(t);
  const told: string[] = [];
  let database = open(path, told);
  for (let batch = 0; batch < BATCHES; batch++) write(database, batch);
  database.close();
  const file = new DatabaseSync(join(path, 'store', 'documents.sqlite'));
  file.exec('UPDATE blocks SET time_max = 0, time_min = 0 WHERE id = 2');
  file.close();
  database = open(path, told);
  assert.match(told.join(), /block 2 of the embedded store is damaged \(its row\)/);
  const since = '2026-01-01T00:00:00Z';
  assert.equal(database.page({ ...ALL, since }, Infinity).rows.length, (BATCHES - 1) * SIZE);
  assert.equal(database.page(ALL, Infinity).rows.length, (BATCHES - 1) * SIZE);
  assert.equal(told.length, 1, told.join());
  database.close();
});

it('of names, whichever bit: all documents end by their age, or by an erasure', async (t) => {
  const path = await folder(t);
  const file = join(path, 'store', 'documents.sqlite');
  const told: string[] = [];
  const whole = open(path, told);
  for (let batch = 0; batch < 2; batch++) write(whole, batch, 5);
  whole.checkpoint();
  whole.close();
  const good = await readFile(file);
  const [page = 0] = leavesOf(file, 'names');
  const from = (page - 1) * PAGE_BYTES;
  // Its header, the places of its rows, and the rows, which stand at its end.
  const offsets = [0, 3, 5, 8, 9, ...Array.from({ length: 56 }, (_, i) => PAGE_BYTES - 1 - i)];
  for (const [offset, bit] of offsets.flatMap((at) => [[at, 0x01] as const, [at, 0x08] as const])) {
    const bytes = Buffer.from(good);
    bytes[from + offset] = (bytes[from + offset] ?? 0) ^ bit;
    for (const how of ['expire', 'erase'] as const) {
      for (const suffix of ['-wal', '-shm']) await rm(file + suffix, { force: true });
      await writeFile(file, bytes);
      const database = open(path, told);
      if (how === 'erase') eraseAll(database, 'line');
      else {
        database.expire({ now: { epochMs: 1e12, monotonicMs: 0 }, limit: 1 });
        database.expire({ now: { epochMs: 1e12 + 30 * DAY_MS, monotonicMs: 30 * DAY_MS }, limit: 1_000_000 });
      }
      assert.equal(database.page(ALL, Infinity).rows.length, 0, `${how} at ${offset}`);
      database.close();
    }
  }
});

it('of an older store: it is opened, and what is in blocks is found, erased and ended', async (t) => {
  for (const table of ['documents', 'documents_by_origin', 'sqlite_autoindex_documents_1', 'words_data']) {
    const path = await folder(t);
    const file = join(path, 'store', 'documents.sqlite');
    makeOldStore(
      path,
      Array.from({ length: 4000 }, (_, i) => ({
        id: testId(i, 0),
        tag: 'tag',
        source: JSON.stringify({ '@timestamp': '2026-03-01T12:00:00.000Z', message: `old ${i}` }),
      })),
    );
    const pages = leavesOf(file, table);
    const bytes = await readFile(file);
    const at = ((pages[Math.floor(pages.length / 3)] ?? 0) - 1) * PAGE_BYTES;
    bytes[at] = (bytes[at] ?? 0) ^ 0x10;
    for (const suffix of ['-wal', '-shm']) await rm(file + suffix, { force: true });
    await writeFile(file, bytes);
    const told: string[] = [];
    const database = open(path, told);
    write(database, 5000);
    while (database.convert());
    assert.equal(database.page({ ...ALL, text: 'line' }, Infinity).rows.length, SIZE, table);
    assert.equal(countAll(database, { ...ALL, text: 'line' }), SIZE, table);
    assert.equal(eraseAll(database), 1, table);
    const expire = (days: number): number =>
      database.expire({ now: { epochMs: 2e12 + days * DAY_MS, monotonicMs: days * DAY_MS }, limit: 1000 }).documents;
    expire(0);
    while (expire(2) > 0);
    assert.equal(countAll(database, { ...ALL, text: 'line' }), 0, table);
    database.close();
  }
});

it('of the list of tables, of an older store or not: it says what to do; the file stays as it is', async (t) => {
  for (const isOld of [true, false]) {
    // What says that it is a database; what it has, and where.
    for (const at of [3, 100, 103]) {
      const path = await folder(t);
      const file = join(path, 'store', 'documents.sqlite');
      if (isOld) {
        const source = '{"@timestamp":"2026-03-01T12:00:00.000Z","message":"old"}';
        makeOldStore(path, [{ id: testId(1, 0), tag: 'tag', source }]);
      } else {
        const database = open(path, []);
        write(database, 1, 1);
        database.close();
      }
      for (const suffix of ['-wal', '-shm']) await rm(file + suffix, { force: true });
      const bytes = await readFile(file);
      bytes[at] = (bytes[at] ?? 0) ^ 0x10;
      await writeFile(file, bytes);
      const expected = {
        code: 'data_dir_unusable',
        message: /documents\.sqlite: it is damaged \(.+\)\. "sluice store export" may still read some of it\./,
      };
      assert.throws(() => open(path, []), expected, `${at}`);
      const reading = { folder: join(path, 'store'), readOnly: true, retentionMs: 0, namesMax: 10 };
      assert.throws(() => new DocumentDatabase(reading), expected, `${at}`);
      assert(bytes.equals(await readFile(file)));
      // As it says.
      for (const suffix of ['', '-wal', '-shm']) await rm(file + suffix, { force: true });
      const database = open(path, []);
      write(database, 2, 1);
      assert.equal(database.page(ALL, Infinity).rows.length, 1);
      database.close();
    }
  }
});

it('keeps documents of an older store that are none any more as messages, and converts the others', async (t) => {
  const path = await folder(t);
  const source = (text: string): string => JSON.stringify({ '@timestamp': '2026-03-01T12:00:00.000Z', message: text });
  makeOldStore(
    path,
    Array.from({ length: 30 }, (_, i) => ({ id: testId(1, i), tag: 'tag', source: source(`line ${i}`) })),
  );
  const file = new DatabaseSync(join(path, 'store', 'documents.sqlite'));
  file.exec("UPDATE documents SET source = replace(source, '\"}', '') WHERE rowid = 3");
  file.exec("UPDATE documents SET source = replace(source, '{', char(10) || '[') WHERE rowid = 9");
  file.exec("UPDATE documents SET source = '[1]' WHERE rowid = 12");
  file.close();
  const told: string[] = [];
  const database = open(path, told);
  while (database.convert());
  assert.equal(told.length, 3, told.join('\n'));
  assert.match(told[0] ?? '', /is damaged; what is left of it is kept as its message/);
  const { rows } = database.page({ ...ALL, text: 'line' }, Infinity);
  assert.equal(rows.length, 29);
  assert.equal(database.page(ALL, Infinity).rows.length, 30);
  database.close();
});
