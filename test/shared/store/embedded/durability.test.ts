// What was answered is there, once, whatever happens to the process, the disk, or single bytes of the file.
//
// SLUICE_TEST_KILLS: how often a writing process is killed.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { it, type TestContext } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import { DocumentDatabase } from '#shared/store/embedded/database.ts';
import { type EmbeddedStore, openEmbeddedStore } from '#shared/store/embedded/store.ts';
import { bulkRequest, type TestDocument } from '#test/contract/store-bodies.ts';
import { tmpfs } from '#test/shared/queue/file-systems.ts';
import { requestOf, sizeOf } from './numbered-requests.ts';
import { makeOldStore } from './old-store.ts';

const DAY_MS = 86_400_000;
const KILLS = Number(process.env['SLUICE_TEST_KILLS'] ?? 4);
const ALL = { order: 'oldest', limit: Infinity } as const;

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'sluice-durable-'));
  t.after(() => rm(path, { recursive: true }));
  return path;
}

const open = (dataDir: string, warn?: (message: string) => void): Promise<EmbeddedStore> =>
  openEmbeddedStore({ dataDir, readOnly: false, retentionMs: DAY_MS, clock: systemClock, ...(warn && { warn }) });

/** Number of a request → how many of its documents are found. Each once, or it fails. */
async function foundIn(store: EmbeddedStore, text?: string): Promise<Map<number, number>> {
  const ids = new Set<string>();
  const found = new Map<number, number>();
  for await (const { documents } of store.pages({ ...ALL, ...(text !== undefined && { text }) }))
    for (const { id } of documents) {
      assert(!ids.has(id), `${id} is there twice`);
      ids.add(id);
      const number = Number.parseInt(id.slice(0, 32), 16);
      found.set(number, (found.get(number) ?? 0) + 1);
    }
  return found;
}

const statusesOf = async (store: EmbeddedStore, documents: readonly TestDocument[]): Promise<Set<number>> =>
  new Set((await store.bulk(bulkRequest(documents))).map(({ status }) => status));

/** Requests in rows of an older store, with numbers below 0x1000. */
const oldDocuments = Array.from({ length: 60 }, (_, i) => 3 * (i + 1)).flatMap((number) =>
  requestOf(number).map(({ id, document }) => ({ id, tag: `tag.${number % 7}`, source: JSON.stringify(document) })),
);

it(
  `has all of each request that it answered, whole and once, after ${KILLS} kills`,
  { timeout: 3_600_000 },
  async (t) => {
    const dataDir = await folder(t);
    makeOldStore(dataDir, oldDocuments, 2);
    const answered = new Set<number>();
    let next = 0x1000;
    for (let kill = 0; kill < KILLS; kill++) {
      const seen = await writeUntilKilled(dataDir, next, 1 + ((kill * 37) % 150));
      for (const number of seen) answered.add(number);
      next = Math.max(next, ...seen) + 100;
      // At length, now and then only: it takes ever longer.
      if (kill % Math.ceil(KILLS / 50) !== 0 && kill !== KILLS - 1) continue;
      await using store = await open(dataDir);
      const found = await foundIn(store);
      for (const number of answered) assert.equal(found.get(number), sizeOf(number), `request ${number}`);
      for (const [number, count] of found) assert.equal(count, sizeOf(number), `request ${number}`);
      const byWord = await foundIn(store, 'line');
      for (const [number, count] of found) assert.equal(byWord.get(number), count, `request ${number} by a word`);
      for (const number of [...answered].slice(0, 20))
        assert.deepEqual(await statusesOf(store, requestOf(number)), new Set([409]), `request ${number} again`);
      for (const number of [3, 90, 180]) assert.equal(found.get(number), sizeOf(number), `request ${number}, in rows`);
      assert.deepEqual(await statusesOf(store, requestOf(90)), new Set([409]), 'in rows before');
    }
  },
);

/** Kills a process that writes, with SIGKILL, after so many answers; returns the numbers that were answered. */
async function writeUntilKilled(dataDir: string, first: number, answers: number): Promise<number[]> {
  const script = new URL('./endless-writer.ts', import.meta.url);
  const child = spawn(process.execPath, [script.pathname, dataDir, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const answered: number[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    answered.push(Number(line));
    if (answered.length === answers) child.kill('SIGKILL');
  }
  const [code, signal] = (await exited) as [number | null, string | null];
  assert.equal(signal, 'SIGKILL', `it ended by itself with ${code}`);
  return answered;
}

it('takes nothing in part when the disk is full, and goes on when it is not', async (t) => {
  const device = tmpfs(t, 'size=6m');
  if (device === null) return t.skip('no file system can be mounted');
  await using store = await open(device);
  const ballast = join(device, 'ballast');
  await writeFile(ballast, Buffer.alloc(2 * 1024 * 1024));
  const answered: number[] = [];
  let refused = 0;
  for (let number = 3; refused < 20 && number < 100_000; number += 3) {
    try {
      await store.bulk(bulkRequest(requestOf(number)));
      answered.push(number);
    } catch (error) {
      assert(error instanceof Error && 'code' in error && error.code === 'store_unavailable', String(error));
      refused += 1;
    }
  }
  assert.equal(refused, 20);
  assert(answered.length > 50);
  const expected = new Map(answered.map((number) => [number, sizeOf(number)]));
  assert.deepEqual(await foundIn(store), expected);
  await rm(ballast);
  const last = answered.at(-1) ?? 0;
  for (let number = last; number < last + 60; number += 3) {
    const isRepeat = expected.has(number);
    assert.deepEqual(await statusesOf(store, requestOf(number)), new Set([isRepeat ? 409 : 201]));
    expected.set(number, sizeOf(number));
  }
  assert.deepEqual(await foundIn(store), expected);
});

it('opens on a disk on which nothing is free: it is read, and takes documents again when there is space', async (t) => {
  const device = tmpfs(t, 'size=6m');
  if (device === null) return t.skip('no file system can be mounted');
  {
    await using store = await open(device);
    await store.bulk(bulkRequest(requestOf(3)));
  }
  const ballast = join(device, 'ballast');
  const fill = async (): Promise<void> => {
    await rm(ballast, { force: true });
    await writeFile(ballast, '');
    for (const bytes of [65_536, 4096])
      while (
        await appendFile(ballast, Buffer.alloc(bytes)).then(
          () => true,
          () => false,
        )
      );
  };
  const expected = new Map([[3, sizeOf(3)]]);
  for (const way of ['to read', 'to write', 'to write again'] as const) {
    await fill();
    const told: string[] = [];
    const warn = (message: string): void => void told.push(message);
    if (way === 'to read') {
      const options = { dataDir: device, readOnly: true, retentionMs: DAY_MS, clock: systemClock };
      await using store = await openEmbeddedStore(options);
      assert.deepEqual(await foundIn(store), expected);
      await rm(ballast);
    } else {
      await using store = await open(device, warn);
      await fill();
      assert.deepEqual(await foundIn(store), expected);
      const number = way === 'to write' ? 6 : 9;
      await assert.rejects(store.bulk(bulkRequest(large(number))), {
        code: 'store_unavailable',
        message: /no space is left/,
      });
      await rm(ballast);
      assert.deepEqual(await statusesOf(store, requestOf(number)), new Set([201]));
      expected.set(number, sizeOf(number));
    }
    await using store = await open(device);
    assert.deepEqual(await foundIn(store), expected);
  }
});

it('tells of a block with a flipped bit, and has all others, and never anything wrong', async (t) => {
  const dataDir = await folder(t);
  const requests = Array.from({ length: 4 }, (_, i) => large(i + 1));
  {
    await using store = await open(dataDir);
    for (const request of requests) await store.bulk(bulkRequest(request));
  }
  const file = join(dataDir, 'store', 'documents.sqlite');
  const blocks = new DatabaseSync(file);
  const parts = blocks.prepare('SELECT id, length(data) AS length FROM parts ORDER BY id').all();
  assert(parts.length >= 12, `${parts.length} parts`);
  const set = blocks.prepare('UPDATE parts SET data = ? WHERE id = ?');
  const get = blocks.prepare('SELECT data FROM parts WHERE id = ?');
  for (const [i, { id }] of parts.entries()) {
    const data = get.get(Number(id))?.['data'] as Uint8Array;
    const flipped = Uint8Array.from(data);
    const at = (i * 7919) % flipped.length;
    flipped[at] = (flipped[at] ?? 0) ^ (1 << (i % 8));
    set.run(flipped, Number(id));
    const damaged = Math.floor(Number(id) / 1024);
    const isFilter = Number(id) % 1024 === 0;
    checkDamage(dataDir, requests, { damaged, isFilter });
    set.run(data, Number(id));
  }
  blocks.exec('UPDATE blocks SET time_max = time_max + 1 WHERE id = 3');
  checkDamage(dataDir, requests, { damaged: 3, isFilter: false });
  blocks.close();
});

const LARGE = 700;
const large = (number: number): TestDocument[] =>
  Array.from({ length: LARGE }, (_, i) => ({
    id: `${number}-${'abcdefghijk'[i % 11]}${(i * 7919) % 1_000_003}`,
    index: 'logs-sluice-default',
    document: {
      '@timestamp': new Date(Date.UTC(2026, 0, number) + i).toISOString(),
      message: `line ${i} of day ${number} ${(i * 2654435761).toString(36)}`,
    },
  }));

function checkDamage(
  dataDir: string,
  requests: readonly TestDocument[][],
  { damaged, isFilter }: { readonly damaged: number; readonly isFilter: boolean },
): void {
  const told: string[] = [];
  const database = openDatabase(dataDir, (message) => told.push(message));
  for (const text of [undefined, 'line', 'day']) {
    const { rows } = database.page({ ...ALL, ...(text !== undefined && { text }) }, Infinity);
    const byId = new Map(rows.map(({ id, source }) => [id, source]));
    for (const [i, request] of requests.entries()) {
      const found = request.filter(({ id }) => byId.has(id));
      if (i + 1 !== damaged || isFilter) assert.equal(found.length, LARGE, `request ${i + 1}, damage in ${damaged}`);
      for (const { id, document } of found) assert.equal(byId.get(id), JSON.stringify(document));
    }
  }
  // Names are apart from blocks.
  for (const request of requests) assert.deepEqual(writeTo(database, request.slice(0, 50)), new Set([409]));
  database.close();
  assert.equal(told.length, 1, told.join('\n'));
  assert.match(told[0] ?? '', new RegExp(`block ${damaged} of the embedded store is damaged`));
}

function openDatabase(dataDir: string, tell?: (message: string) => void): DocumentDatabase {
  const options = { folder: join(dataDir, 'store'), readOnly: false, retentionMs: DAY_MS, namesMax: 1000 };
  return new DocumentDatabase({ ...options, ...(tell && { tell }) });
}

function writeTo(database: DocumentDatabase, documents: readonly TestDocument[]): Set<number> {
  const { body, items } = bulkRequest(documents);
  const ids = items.map(({ id }) => id);
  const bounds = Uint32Array.from([...items].flatMap(({ docStart, docEnd }) => [docStart, docEnd]));
  const streams = new Uint16Array(ids.length);
  return new Set(database.write({ body, ids, bounds, streams, streamNames: ['logs-sluice-default'] }).statuses);
}

it('takes no name twice as long as its document is there, however blocks are merged and end', async (t) => {
  const dataDir = await folder(t);
  const database = openDatabase(dataDir);
  t.after(() => database.close());
  const write = (number: number): Set<number> => writeTo(database, requestOf(number));
  const expire = (ms: number): number => {
    const now = { epochMs: Date.UTC(2026, 0, 1) + ms, monotonicMs: ms };
    while (database.mergeAll(now));
    return database.expire({ now, limit: 100_000 }).documents;
  };
  const kept = new Set<number>();
  for (let step = 0; step < 30; step++) {
    for (let number = step * 40; number < step * 40 + 40; number++) {
      assert.deepEqual(write(number), new Set([201]), `request ${number}`);
      database.merge();
      kept.add(number);
    }
    expire((step * DAY_MS) / 10);
    const there = new Map<number, number>();
    for (const { id } of database.page({ ...ALL, limit: 1_000_000 }, Infinity).rows) {
      const number = Number.parseInt(id.slice(0, 32), 16);
      there.set(number, (there.get(number) ?? 0) + 1);
    }
    for (const number of kept) {
      if (there.has(number)) assert.equal(there.get(number), sizeOf(number));
      else kept.delete(number);
    }
    assert.equal(there.size, kept.size);
    for (const number of kept) if (number % 11 === step % 11) assert.deepEqual(write(number), new Set([409]));
  }
  assert(kept.size < 30 * 40, 'some ended');
  assert(kept.size > 40 * 8, 'and some did not');
  const file = new DatabaseSync(join(dataDir, 'store', 'documents.sqlite'), { readOnly: true });
  const count = (sql: string): number => Number(file.prepare(sql).get()?.['n']);
  assert.equal(count('SELECT count(*) AS n FROM names'), kept.size, 'no name of what is gone');
  const documents = [...kept].reduce((sum, number) => sum + sizeOf(number), 0);
  assert.equal(count('SELECT sum(documents) AS n FROM origins'), documents);
  assert(count('SELECT count(*) AS n FROM blocks') < kept.size / 8, 'they were merged');
  file.close();
});
