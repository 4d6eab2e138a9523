// What the embedded queue promises beyond the contract: its folder, its limits, retention, and that a kill loses
// nothing.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { DatabaseSync } from 'node:sqlite';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { systemClock } from '#shared/clock.ts';
import {
  type EmbeddedQueue,
  type EmbeddedQueueOptions,
  openEmbeddedQueue,
} from '#shared/queue/embedded/embedded-queue.ts';
import type { QueueRecord } from '#shared/record/record.ts';
import { RecordingHandler } from '#test/contract/recording-handler.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { tmpfs } from '../file-systems.ts';

const MIB = 1024 * 1024;
const HOUR_MS = 3_600_000;

describe('folder of the embedded queue', () => {
  it('belongs to one opener at a time, and is free after a close', async (t) => {
    const dataDir = await folder(t);
    const queue = await open(dataDir);
    await assert.rejects(open(dataDir), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'data_dir_locked');
      assert.match(error.message, /another sluice process uses it/);
      return true;
    });
    await queue[Symbol.asyncDispose]();
    await (await open(dataDir))[Symbol.asyncDispose]();
  });

  it('can be read while another process writes to it', async (t) => {
    const dataDir = await folder(t);
    await using queue = await open(dataDir);
    await queue.append(0, [record('one')]);
    await using reader = await open(dataDir, { readOnly: true });
    assert.deepEqual(await texts(reader), ['one']);
    await queue.append(0, [record('two')]);
    assert.deepEqual(await texts(reader), ['one', 'two']);
    await assert.rejects(reader.append(0, [record('three')]), { code: 'queue_refused' });
  });

  it('can be read after its writer has gone', async (t) => {
    const dataDir = await folder(t);
    const writer = await open(dataDir);
    await writer.append(0, [record('one')]);
    await writer[Symbol.asyncDispose]();
    await using reader = await open(dataDir, { readOnly: true });
    assert.deepEqual(await texts(reader), ['one']);
  });

  it('is refused with a reason where it cannot be used', async (t) => {
    const cases: Record<string, (dir: string) => void> = {
      'a file in its place': (dir) => writeFileSync(join(dir, 'queue'), ''),
      'no database': (dir) => {
        mkdirSync(join(dir, 'queue'));
        writeFileSync(join(dir, 'queue', 'log.sqlite'), 'x'.repeat(5000));
      },
      'nothing to read': () => undefined,
    };
    for (const [name, prepare] of Object.entries(cases)) {
      const dataDir = await folder(t);
      prepare(dataDir);
      const opened = open(dataDir, { readOnly: name === 'nothing to read' });
      await assert.rejects(opened, { code: 'data_dir_unusable', message: /^Cannot (use|read) / }, name);
    }
  });

  it('is refused where it may not be written', async (t) => {
    // Root may write to any folder, but not to a read-only file system.
    const isRoot = process.getuid?.() === 0;
    const dataDir = isRoot ? tmpfs(t, 'ro') : await folder(t);
    if (dataDir === null) return t.skip('needs to mount a tmpfs, or another user than root');
    if (!isRoot) chmodSync(dataDir, 0o500);
    await assert.rejects(open(dataDir), { code: 'data_dir_unusable' });
  });
});

describe('limits of the embedded queue', () => {
  it('pushes back when it is full, stays within its bytes, and takes more once records were consumed', async (t) => {
    const dataDir = await folder(t);
    await using queue = await open(dataDir, { bytesMax: 16 * MIB });
    const large = record('x'.repeat(500_000));
    let taken = 0;
    const refused = await fill(queue, large, () => {
      taken++;
      assert(bytesOf(dataDir) <= 16 * MIB, `${bytesOf(dataDir)} bytes`);
    });
    assert.match(refused.message, /^Cannot append to the embedded queue: \d+ bytes are held/);
    assert(taken > 15, `only ${taken} of 0.5 MB fit into 16 MiB`);
    assert.match(queue.unreadyReason ?? '', /full/);

    const handler = new RecordingHandler();
    await using consumer = await queue.consume(handler, { group: 'g', fetchBytesMax: MIB });
    await handler.until(() => handler.records.length === taken);
    await consumer.commit(1, new Map([[0, taken - 2]]));
    await queue.append(0, [large]);
    assert.equal(queue.unreadyReason, null);
    assert(bytesOf(dataDir) <= 16 * MIB);
    // What was not consumed is there still.
    const left = await Array.fromAsync(queue.read({ topic: 'logs' }));
    assert.deepEqual(
      left.slice(-3).map(({ offset }) => offset),
      [taken - 2, taken - 1, taken],
    );
  });

  it('never removes what one of the groups has not consumed', async (t) => {
    await using queue = await open(await folder(t), { bytesMax: 16 * MIB });
    const large = record('x'.repeat(500_000));
    const [fast, slow] = [new RecordingHandler(), new RecordingHandler()];
    await using first = await queue.consume(fast, { group: 'fast', fetchBytesMax: MIB });
    await using _second = await queue.consume(slow, { group: 'slow', fetchBytesMax: MIB });
    let taken = 0;
    await fill(queue, large, () => taken++);
    await fast.until(() => fast.records.length === taken);
    await first.commit(1, new Map([[0, taken]]));
    await assert.rejects(queue.append(0, [large]), { code: 'queue_full' });
    await slow.until(() => slow.records.length === taken);
  });

  it('removes what was consumed after its time, gives the space back, and goes on with the offsets', async (t) => {
    const dataDir = await folder(t);
    const clock = new VirtualClock();
    const queue = await open(dataDir, { clock, retentionMs: HOUR_MS });
    for (let i = 0; i < 40; i++) await queue.append(0, [record('x'.repeat(500_000))]);
    const handler = new RecordingHandler();
    const consumer = await queue.consume(handler, { group: 'g', fetchBytesMax: MIB });
    await handler.until(() => handler.records.length === 40);
    const before = bytesOf(dataDir);
    await clock.advance(2 * HOUR_MS);
    assert.equal((await texts(queue)).length, 40);
    await consumer.commit(1, new Map([[0, 40]]));
    while ((await texts(queue)).length > 1) await clock.advance(1000);
    while ((await queue.bytesStored()) > before / 2) await clock.advance(1000);
    await queue[Symbol.asyncDispose]();
    assert(bytesOf(dataDir) < before / 3, `${bytesOf(dataDir)} of ${before} bytes are left`);

    await using again = await open(dataDir, { clock });
    await again.append(0, [record('next')]);
    const offsets = (await Array.fromAsync(again.read({ topic: 'logs' }))).map(({ offset }) => offset);
    assert.deepEqual(offsets, [39, 40]);
  });

  it('pushes back when the device is full, is whole, and works on when there is space', async (t) => {
    const dataDir = tmpfs(t, 'size=12m');
    if (dataDir === null) return t.skip('needs to mount a tmpfs');
    const ballast = join(dataDir, 'ballast');
    writeFileSync(ballast, Buffer.alloc(6 * MIB));
    await using queue = await open(dataDir);
    const large = record('x'.repeat(300_000));
    let taken = 0;
    const refused = await fill(queue, large, () => taken++);
    assert.match(refused.message, /no space is left/);
    await assert.rejects(queue.append(0, [large]), { code: 'queue_full' });
    await rm(ballast);
    for (let i = 0; i < 3; i++) await queue.append(0, [large]);
    assert.equal((await texts(queue)).length, taken + 3);
    await queue[Symbol.asyncDispose]();
    assert.equal(integrity(dataDir), 'ok');
  });
});

describe('embedded queue that is killed', () => {
  it('has all that was acked, whole and in order; its folder was its own, and is free', async (t) => {
    const dataDir = await folder(t);
    let acked = 0;
    for (let round = 0; round < 4; round++) {
      const child = spawn(
        process.execPath,
        [fileURLToPath(new URL('./append-for-ever.ts', import.meta.url)), dataDir],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      acked = await killAfter(child, 30 + round * 50, async () => {
        await assert.rejects(open(dataDir), { code: 'data_dir_locked' });
      });
      await using queue = await open(dataDir);
      const numbers = (await texts(queue)).map((text) => Number(text.split(' ', 1)[0]));
      assert(numbers.length >= acked, `${acked} were acked, ${numbers.length} are there`);
      for (const [i, number] of numbers.entries()) assert.equal(number, i);
    }
    assert(acked > 0);
    assert.equal(integrity(dataDir), 'ok');
  });
});

async function open(dataDir: string, options: Partial<EmbeddedQueueOptions> = {}): Promise<EmbeddedQueue> {
  return await openEmbeddedQueue({
    dataDir,
    bytesMax: 1024 * MIB,
    retentionMs: HOUR_MS,
    readOnly: false,
    clock: systemClock,
    warn: () => undefined,
    ...options,
  });
}

async function folder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-queue-'));
  t.after(() => rm(dir, { recursive: true }));
  return dir;
}

/** Appends until it is refused as full; resolves to the error. */
async function fill(queue: EmbeddedQueue, large: QueueRecord, taken: () => void): Promise<Error> {
  for (;;) {
    try {
      await queue.append(0, [large]);
      taken();
    } catch (error) {
      assert(error instanceof Error && 'code' in error);
      assert.equal(error.code, 'queue_full');
      return error;
    }
  }
}

/** Kills the child after it has said so many times what it has appended; resolves to the number it said last. */
async function killAfter(child: ChildProcess, lines: number, meanwhile: () => Promise<void>): Promise<number> {
  assert(child.stdout);
  const exit = once(child, 'exit');
  let acked = 0;
  let seen = 0;
  for await (const line of createInterface(child.stdout)) {
    acked = Number(line);
    if (++seen === 1) await meanwhile();
    if (seen === lines) child.kill('SIGKILL');
  }
  await exit;
  return acked;
}

function integrity(dataDir: string): unknown {
  using database = new DatabaseSync(join(dataDir, 'queue', 'log.sqlite'));
  return database.prepare('PRAGMA integrity_check').get()?.['integrity_check'];
}

async function texts(queue: EmbeddedQueue): Promise<string[]> {
  const records = await Array.fromAsync(queue.read({ topic: 'logs' }));
  return records.map(({ value }) => Buffer.from(value).toString());
}

function bytesOf(dataDir: string): number {
  const queue = join(dataDir, 'queue');
  // The shared-memory index of the WAL is not data; it is 32 KiB for each 32 MiB of WAL.
  const files = readdirSync(queue).filter((name) => !name.endsWith('-shm'));
  return files.reduce((sum, name) => sum + statSync(join(queue, name)).size, 0);
}

function record(text: string): QueueRecord {
  return { encoding: 'identity', batches: Buffer.from('batches'), value: Buffer.from(text) };
}
