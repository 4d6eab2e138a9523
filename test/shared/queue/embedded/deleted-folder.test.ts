// The embedded queue whose folder, file, WAL or lock is deleted or replaced while it is used.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import { openEmbeddedQueue } from '#shared/queue/embedded/embedded-queue.ts';
import { lockFolder } from '#shared/sqlite/database.ts';
import { MIB, HOUR_MS, folder } from './log-world.ts';

describe('a folder that is deleted while it is used', () => {
  it('is made anew with all that was acked, and goes on', async (t) => {
    const dataDir = await folder(t);
    const warnings: string[] = [];
    const queue = await openQueue(dataDir, warnings);
    await queue.append(0, [record('one'), record('two')]);
    await queue.appendDeadLetters([deadLetter]);
    await rm(dataDir, { recursive: true });
    await queue.append(0, [record('three')]);
    assert.match(
      warnings.join(),
      /log\.sqlite was deleted while it was used\. The log was made anew with all that it held/,
    );
    assert.throws(() => lockFolder(join(dataDir, 'queue')), { code: 'data_dir_locked' });
    // And where nobody appends.
    await rm(dataDir, { recursive: true });
    while (!existsSync(join(dataDir, 'queue/log.sqlite'))) await systemClock.sleep(20);
    assert.equal(queue.unreadyReason, null);
    await queue.append(0, [record('four')]);
    await queue[Symbol.asyncDispose]();
    await using again = await openQueue(dataDir, []);
    assert.deepEqual(await texts(again), ['one', 'two', 'three', 'four']);
    assert.equal((await Array.fromAsync(again.read({ topic: 'dead-letters' }))).length, 1);
  });

  it('is made anew where only its WAL was deleted, so that a kill takes nothing that was acked', async (t) => {
    const dataDir = await folder(t);
    const warnings: string[] = [];
    await using queue = await openQueue(dataDir, warnings);
    await queue.append(0, [record('one')]);
    for (const text of ['two', 'three']) {
      await rm(join(dataDir, 'queue/log.sqlite-wal'));
      await queue.append(0, [record(text)]);
      // What a process would find that starts after a kill: the files as they are now.
      const copy = await folder(t);
      await cp(join(dataDir, 'queue'), join(copy, 'queue'), { recursive: true });
      await using again = await openQueue(copy, []);
      assert.deepEqual((await texts(again)).at(-1), text);
      assert.equal((await texts(again))[0], 'one');
    }
    assert.match(warnings.join(), /log\.sqlite-wal was deleted while it was used\. The log was made anew/);
    assert.equal(queue.unreadyReason, null);
  });

  it('keeps its WAL through checkpoints, and is not made anew for them', async (t) => {
    const warnings: string[] = [];
    await using queue = await openQueue(await folder(t), warnings);
    for (let n = 0; n < 20; n++) await queue.append(0, [record('x'.repeat(MIB))]);
    assert.deepEqual(warnings, []);
    assert.equal((await texts(queue)).length, 20);
  });

  it('is locked again where its lock was deleted, unless another process has it', async (t) => {
    const dataDir = await folder(t);
    const queueFolder = join(dataDir, 'queue');
    await using queue = await openQueue(dataDir, []);
    await queue.append(0, [record('one')]);
    await rm(join(queueFolder, 'lock'));
    await queue.append(0, [record('two')]);
    assert.throws(() => lockFolder(queueFolder), { code: 'data_dir_locked' });
    await rm(join(queueFolder, 'lock'));
    const other = lockFolder(queueFolder);
    await assert.rejects(queue.append(0, [record('three')]), { code: 'queue_unavailable' });
    other[Symbol.dispose]();
    while (queue.unreadyReason !== null) await systemClock.sleep(20);
    await queue.append(0, [record('four')]);
    assert.deepEqual(await texts(queue), ['one', 'two', 'four']);
  });

  it('takes nothing, and says so, while it cannot be made anew; what it held can be read', async (t) => {
    const dataDir = await folder(t);
    const warnings: string[] = [];
    await using queue = await openQueue(dataDir, warnings);
    await queue.append(0, [record('one')]);
    await rm(dataDir, { recursive: true });
    writeFileSync(dataDir, 'a file where the folder was');
    await assert.rejects(queue.append(0, [record('two')]), { code: 'queue_unavailable' });
    assert.match(queue.unreadyReason ?? '', /is gone, and cannot be made anew/);
    assert.match(warnings.join(), /let it be consumed before a restart/);
    assert.equal((await texts(queue))[0], 'one');
    await rm(dataDir);
    while (queue.unreadyReason !== null) await systemClock.sleep(20);
    await queue.append(0, [record('three')]);
  });

  it('takes nothing where another file has its place', async (t) => {
    const dataDir = await folder(t);
    await using queue = await openQueue(dataDir, []);
    await queue.append(0, [record('one')]);
    await rm(dataDir, { recursive: true });
    mkdirSync(join(dataDir, 'queue'), { recursive: true });
    writeFileSync(join(dataDir, 'queue/log.sqlite'), 'of somebody else');
    await assert.rejects(queue.append(0, [record('two')]), { code: 'queue_unavailable' });
    while (queue.unreadyReason === null) await systemClock.sleep(20);
    assert.match(queue.unreadyReason ?? '', /another file has taken the place/);
    assert.deepEqual((await texts(queue))[0], 'one');
  });
});

const deadLetter = {
  batches: Buffer.from('batches'),
  reason: 'document_refused',
  error: 'e',
  from: 'edge',
  value: Buffer.from('v'),
  cut: false,
};

function record(text: string) {
  return { encoding: 'identity', batches: Buffer.from('batches'), value: Buffer.from(text) } as const;
}

function openQueue(dataDir: string, warnings: string[]) {
  const options = { dataDir, bytesMax: 64 * MIB, retentionMs: HOUR_MS, readOnly: false, clock: systemClock };
  return openEmbeddedQueue({ ...options, warn: (message) => warnings.push(message) });
}

async function texts(queue: Awaited<ReturnType<typeof openQueue>>): Promise<string[]> {
  const records = await Array.fromAsync(queue.read({ topic: 'logs' }));
  return records.map(({ value }) => Buffer.from(value).toString());
}
