// One bit of the file is turned, anywhere: no document is ever read as another, none is there twice, and where some are
// not found any more, that is told, by the search or by `sluice store verify`. A bit of what a block holds costs that
// block alone.
//
// SLUICE_TEST_FLIPS: how many bits, one at a time. SLUICE_TEST_SEED: others.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { it } from 'node:test';
import { SluiceError } from '#shared/errors.ts';
import { DocumentDatabase } from '#shared/store/embedded/database.ts';
import { bulkRequest } from '#test/contract/store-bodies.ts';
import { seeded } from '#test/indexer/world.ts';
import { requestOf } from '../numbered-requests.ts';

const FLIPS = Number(process.env['SLUICE_TEST_FLIPS'] ?? 40);
const SEED = Number(process.env['SLUICE_TEST_SEED'] ?? 16);
const REQUESTS = 100;
const PAGE_BYTES = 4096;
const ALL = { order: 'oldest', limit: 1_000_000 } as const;

interface Seen {
  /** Of what was found, by id: the text. */
  readonly texts: ReadonlyMap<string, string>;
  readonly told: readonly string[];
}

it(`tells what one of ${FLIPS} bits has cost, seed ${SEED}`, async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-flipped-'));
  t.after(() => rm(dataDir, { recursive: true }));
  const file = join(dataDir, 'documents.sqlite');
  fill(dataDir);
  const whole = seenIn(dataDir);
  assert.deepEqual(whole.told, []);
  const blocks = blocksIn(file);
  const overflow = overflowPages(file);
  const good = await readFile(file);
  const random = seeded(SEED);
  const counts = { harmless: 0, told: 0, refused: 0, most: 0 };
  for (let flip = 0; flip < FLIPS; flip++) {
    const bytes = Buffer.from(good);
    const at = Math.floor(random() * bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8));
    for (const suffix of ['-wal', '-shm']) await rm(file + suffix, { force: true });
    await writeFile(file, bytes);
    const where = `byte ${at}`;
    const { texts, told } = seenIn(dataDir);
    for (const [id, text] of texts) assert.equal(text, whole.texts.get(id), `${id}, ${where}`);
    const missing = [...whole.texts.keys()].filter((id) => !texts.has(id));
    if (missing.length > 0) assert(told.length > 0, `${missing.length} are missing, and nothing is told, ${where}`);
    const page = 1 + Math.floor(at / PAGE_BYTES);
    if (overflow.has(page))
      assert(
        blocks.some((size) => missing.length <= size),
        `${missing.length}, ${where}`,
      );
    if (told.length === 0) counts.harmless += 1;
    else if (texts.size === 0) counts.refused += 1;
    else {
      counts.told += 1;
      counts.most = Math.max(counts.most, missing.length);
    }
  }
  t.diagnostic(`of ${whole.texts.size} documents in ${blocks.length} blocks: ${JSON.stringify(counts)}`);
});

function fill(folder: string): void {
  const database = new DocumentDatabase({ folder, readOnly: false, retentionMs: 1e12, namesMax: 1000 });
  for (let number = 1; number <= REQUESTS; number++) {
    const { body, items } = bulkRequest(requestOf(number));
    const bounds = Uint32Array.from([...items].flatMap(({ docStart, docEnd }) => [docStart, docEnd]));
    const streams = new Uint16Array(items.length);
    const ids = items.map(({ id }) => id);
    database.write({ body, ids, bounds, streams, streamNames: ['logs-sluice-default'] });
    if (number < REQUESTS / 2) database.merge();
  }
  database.checkpoint();
  database.close();
}

/** What searches find, and what they and a verification tell. */
function seenIn(folder: string): Seen {
  const told: string[] = [];
  const texts = new Map<string, string>();
  try {
    const options = { folder, readOnly: true, retentionMs: 1e12, namesMax: 1000 };
    const database = new DocumentDatabase({ ...options, tell: (message) => told.push(message) });
    try {
      const { rows } = database.page(ALL, Infinity);
      for (const { id, source } of rows) {
        assert(!texts.has(id), `${id} is there twice`);
        texts.set(id, source);
      }
      const byWord = database.page({ ...ALL, text: 'line' }, Infinity).rows.length;
      if (byWord < rows.length) assert(told.length > 0, `a word finds ${byWord} of ${rows.length}`);
      const { summary, verified, counts } = verifiedIn(database);
      told.push(...verified.map(({ what }) => what), ...counts.damage, ...counts.remarks);
      assert(summary > 0 || told.length > 0);
    } finally {
      database.close();
    }
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    told.push(error.message);
  }
  return { texts, told };
}

function verifiedIn({ inspection }: DocumentDatabase) {
  const { documents, lastRow } = inspection.summary();
  const verified = [];
  for (let after: number | null = 0; after !== null;) {
    const step = inspection.verify({ after, rowMax: lastRow });
    verified.push(...step.damage);
    after = step.next;
  }
  return { summary: documents, verified, counts: inspection.counts() };
}

const blocksIn = (file: string): number[] =>
  rowsOf(file, 'SELECT documents AS n FROM blocks').map(({ n }) => Number(n));

const overflowPages = (file: string): Set<number> =>
  new Set(
    rowsOf(file, "SELECT pageno FROM dbstat WHERE name LIKE 'parts%' AND pagetype = 'overflow'").map(({ pageno }) =>
      Number(pageno),
    ),
  );

function rowsOf(file: string, sql: string): Record<string, unknown>[] {
  const database = new DatabaseSync(file);
  try {
    return database.prepare(sql).all();
  } finally {
    database.close();
  }
}
