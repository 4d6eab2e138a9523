// A process that writes by the whole path (queue, indexer, store) is killed at random moments: while blocks are merged,
// the oldest end by age or size, an older store is converted, the files are made small, on a disk that is full now and
// then; and batches come again, early and late. Whatever the queue held is there, once, and whole.
//
// SLUICE_TEST_KILLS: how many kills, all together. SLUICE_TEST_SEED: others.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { seeded } from '#test/indexer/world.ts';
import { testId } from '#test/contract/store-bodies.ts';
import { tmpfs } from '#test/shared/queue/file-systems.ts';
import { makeOldStore } from '../old-store.ts';
import { empty, fill, type Found, foundAfter, liveAndDie, type Lived } from './lives.ts';
import { type Life, sizeOf } from './numbered-batches.ts';

const KILLS = Number(process.env['SLUICE_TEST_KILLS'] ?? 10);
const SEED = Number(process.env['SLUICE_TEST_SEED'] ?? 16);
const KINDS = 5;
/** One check goes through all that a life has left. */
const KILLS_OF_LIFE = 25;
const KILLS_OF_KIND = Math.ceil(KILLS / KINDS);
const YEAR_MS = 365 * 86_400_000;
const MIB = 2 ** 20;
const OLD_DOCUMENTS = 6000;
/** Batches that are on their way together. */
const TOGETHER = 200;

const plain: Omit<Life, 'dataDir' | 'startMs'> = {
  messageBytes: 200,
  bytesMax: null,
  retentionMs: 100 * YEAR_MS,
  haste: 100,
  compacts: false,
  latest: 400,
};

interface Kind {
  readonly life?: Partial<Life>;
  /** Of an older version, in place of none. */
  readonly oldVersion?: 1 | 2 | 3;
  readonly isFull?: boolean;
  readonly deletes?: boolean;
}

const kinds: Readonly<Record<string, Kind>> = {
  'while an older store is converted': { oldVersion: 2 },
  'while the files are made small': { life: { compacts: true }, oldVersion: 3 },
  'while the oldest end by size': { life: { bytesMax: 2 * MIB, messageBytes: 3000, latest: 5 }, deletes: true },
  'while the oldest end by age': { life: { retentionMs: 400_000, haste: 400, latest: 5 }, deletes: true },
  'while the disk is full now and then': { isFull: true },
};

for (const [name, kind] of Object.entries(kinds))
  it(`${KILLS_OF_KIND} kills ${name}, seed ${SEED}`, { timeout: 7_200_000 }, async (t) => {
    const random = seeded(SEED + Object.keys(kinds).indexOf(name));
    const sums = { kills: 0, held: 0, documents: 0, deleted: 0, refused: 0 };
    for (let left = KILLS_OF_KIND; left > 0; left -= KILLS_OF_LIFE) {
      const kills = Math.min(left, KILLS_OF_LIFE);
      const lived: Lived = { held: new Set(), told: [], refused: 0 };
      const found = await one(t, kind, { kills, lived, random });
      if (found === null) return t.skip('no file system can be mounted');
      sums.kills += kills;
      sums.held += lived.held.size;
      sums.refused += lived.refused;
      sums.deleted += [...lived.held].filter((number) => !found.batches.has(number)).length;
      for (const count of found.batches.values()) sums.documents += count;
    }
    t.diagnostic(JSON.stringify(sums));
  });

interface Run {
  readonly kills: number;
  readonly lived: Lived;
  readonly random: () => number;
}

async function one(t: TestContext, kind: Kind, { kills, lived, random }: Run): Promise<Found | null> {
  const dataDir = kind.isFull === true ? tmpfs(t, 'size=64m') : await mkdtemp(join(tmpdir(), 'sluice-killed-'));
  if (dataDir === null) return null;
  if (kind.isFull !== true) t.after(() => rm(dataDir, { recursive: true, force: true }));
  const life: Life = { ...plain, ...kind.life, dataDir, startMs: Date.now() };
  const old = kind.oldVersion === undefined ? [] : oldDocuments();
  if (kind.oldVersion !== undefined) makeOldStore(dataDir, old, kind.oldVersion);
  for (let kill = 0; kill < kills; kill++) {
    if (kind.isFull === true) await (random() < 0.6 ? fill(dataDir, random() * MIB) : empty(dataDir));
    await liveAndDie(life, lived, random);
  }
  await empty(dataDir);
  assert(lived.refused === 0 || kind.isFull === true, lived.told.join('\n'));
  const damage = lived.told.filter((line) => /damage|malformed|corrupt/i.test(line));
  assert.deepEqual(damage, []);
  const found = await foundAfter(life);
  check(lived, found, kind.deletes === true);
  assert.deepEqual([...found.others].toSorted(), old.map(({ id }) => id).toSorted());
  if (kind.isFull !== true) await rm(dataDir, { recursive: true });
  return found;
}

function check({ held }: Lived, { batches }: Found, deletes: boolean): void {
  for (const [number, count] of batches) {
    if (!deletes) assert.equal(count, sizeOf(number), `batch ${number}`);
    else assert(count <= sizeOf(number), `batch ${number}`);
  }
  const missing = [...held].filter((number) => batches.get(number) !== sizeOf(number));
  if (!deletes) assert.deepEqual(missing, []);
  // The oldest go first.
  const there = [...batches.keys()].reduce((least, number) => Math.min(least, number), Infinity);
  const lastMissing = missing.reduce((most, number) => Math.max(most, number), -Infinity);
  assert(lastMissing < there + TOGETHER, `batch ${lastMissing} is missing, and ${there} is there`);
}

function oldDocuments(): { id: string; tag: string; source: string }[] {
  return Array.from({ length: OLD_DOCUMENTS }, (_, i) => ({
    id: testId(1, i),
    tag: `tag.${i % 3}`,
    source: JSON.stringify({
      '@timestamp': new Date(Date.UTC(2025, 0, 1) + i * 1000).toISOString(),
      message: `line ${i}`,
      fluentd: { tag: `tag.${i % 3}` },
    }),
  }));
}
