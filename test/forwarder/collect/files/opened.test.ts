// A file that was found has another name by the time it is opened, and another one has its own: as when many files of
// Docker are renamed at once. (test/integration/clients/docker-files.test.ts does it with a real Docker.)

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { contentOf, generationOfGzip } from '#forwarder/collect/files/file-content.ts';
import { isOtherFile, statOf } from '#forwarder/collect/files/file-identity.ts';
import { FollowedFile } from '#forwarder/collect/files/followed-file.ts';
import { Generations } from '#forwarder/collect/checkpoints/generations.ts';
import { FileWorld } from './file-world.ts';

test('no other file is taken for the one that was found', async () => {
  await using world = new FileWorld();
  const [older, newer] = [world.path('a.log.2.gz'), world.path('a.log.1.gz')];
  fs.writeFileSync(older, gzipSync('older\n'));
  fs.writeFileSync(newer, gzipSync('newer\n'));
  const identity = (await statOf(newer))?.identity ?? '';
  fs.renameSync(older, newer);
  const { signal } = new AbortController();
  const compression = 'gzip';
  const other = (error: unknown): boolean => isOtherFile(error);
  await assert.rejects(contentOf(newer, { identity, compression, generations: [], signal }), other);
  await assert.rejects(generationOfGzip(newer, { identity, generations: [] }), other);
  const own = (await statOf(newer))?.identity ?? '';
  const content = await contentOf(newer, { identity: own, compression, generations: [], signal });
  assert.equal(Buffer.from(content.head).toString(), 'older\n');

  const generations = new Generations(0);
  const generation = generations.add(generations.addSource('/a.log', 0), identity, 'salt');
  const nothing = (): never => assert.fail('nothing is read');
  const options = { tag: '', root: null, newEntries: nothing, budget: null, hasTrueTimes: true };
  const calls = {
    changed: nothing,
    save: nothing,
    replaced: nothing,
    malformed: nothing,
    failed: nothing,
    compared: nothing,
  };
  const delivery = { give: nothing } as unknown as Parameters<typeof FollowedFile.open>[2]['delivery'];
  const following = { ...options, ...calls, delivery, nowMs: () => 0 };
  assert.equal(await FollowedFile.open({ path: newer, identity }, generation, following), 'replaced');
  const followed = await FollowedFile.open({ path: newer, identity: own }, generation, following);
  assert.ok(typeof followed !== 'string');
  await followed.close();
});

test('a file is found again where it was renamed to', { timeout: 60_000 }, async () => {
  await using world = new FileWorld();
  const path = world.path('a.log');
  // The first name that is opened leads to another file each time, until all have been there.
  for (let n = 0; n < 50; n += 1) fs.writeFileSync(world.path(`${n}.log`), `line ${n}\n`);
  fs.writeFileSync(path, 'line 50\n');
  world.start();
  for (let n = 0; n < 50; n += 1) {
    fs.renameSync(world.path(`${n}.log`), world.path('passing'));
    fs.renameSync(world.path('passing'), world.path(`${n}-renamed.log`));
    if (n % 5 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const lines = await world.untilLines(51);
  assert.equal(new Set(lines).size, 51);
});
