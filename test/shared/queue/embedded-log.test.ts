// The log of the embedded queue and of the spool where the world around it misbehaves: clocks that jump, groups that were renamed,
// and a folder that is deleted or replaced while it is used.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it, type TestContext } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import { openEmbeddedQueue } from '#shared/queue/embedded/embedded-queue.ts';
import { type LogOptions, SqliteLog, type Write } from '#shared/queue/embedded/sqlite-log.ts';
import { lockFolder } from '#shared/sqlite/database.ts';

const MIB = 1024 * 1024;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const NOW = Date.UTC(2026, 5, 1);

describe('retention', () => {
  it('goes by the time that has passed, not by a clock that jumps', async (t) => {
    const file = join(await folder(t), 'log.sqlite');
    const told: string[] = [];
    {
      using log = open(file, { retentionMs: HOUR_MS, tell: (message) => told.push(message) });
      log.write(write({ nowMs: NOW, logs: 20, deadLetters: 20 }));
      log.join('g');
      log.write(write({ commits: [['g', 20]] }));
      const year = 365 * DAY_MS;
      for (const [ms, jump] of [
        [0, 0],
        [1000, year],
        [2000, year],
        [3000, 0],
        [4000, -year],
        [5000, 0],
      ] as const) {
        while (log.tend({ epochMs: NOW + ms + jump, monotonicMs: ms }));
      }
      assert.deepEqual(counts(log), [20, 20]);
      assert.equal(told.length, 4, told.join('\n'));
    }
    {
      using log = open(file, { retentionMs: HOUR_MS });
      // A clock chip that is a year ahead when the machine starts.
      while (log.tend({ epochMs: NOW + 365 * DAY_MS, monotonicMs: 17 }));
      while (log.tend({ epochMs: NOW + 10_000, monotonicMs: 1000 }));
      assert.deepEqual(counts(log), [20, 20]);
      while (log.tend({ epochMs: NOW + 2 * HOUR_MS, monotonicMs: 2 * HOUR_MS }));
      assert.deepEqual(counts(log), [1, 20], 'what was consumed goes after its time');
    }
    {
      using log = open(file, { retentionMs: HOUR_MS });
      for (let day = 0; day < 9; day++) while (log.tend({ epochMs: NOW + day * DAY_MS, monotonicMs: 1 }));
      assert.deepEqual(counts(log), [1, 1], 'a stop of some hours counts, also without a process');
    }
  });

  it('counts no time twice where a clock goes ahead and back again and again', async (t) => {
    using log = open(join(await folder(t), 'log.sqlite'), {});
    log.write(write({ nowMs: NOW, deadLetters: 20 }));
    for (let n = 0; n < 100; n++) {
      while (log.tend({ epochMs: NOW + (n % 2) * 20 * HOUR_MS, monotonicMs: n * 1000 }));
    }
    assert.deepEqual(counts(log), [0, 20]);
  });
});

describe('a group that nobody reads as any more', () => {
  it('holds what it has not read while there is room, and no longer', async (t) => {
    const file = join(await folder(t), 'log.sqlite');
    const bytesMax = 16 * MIB;
    {
      using log = open(file, { bytesMax });
      log.join('old name');
      log.write(write({ logs: 4, bytes: 500_000 }));
    }
    const told: string[] = [];
    using log = open(file, { bytesMax, tell: (message) => told.push(message) });
    let end = 4;
    const append = (): string | null => {
      const { refused } = log.write(write({ logs: 1, bytes: 500_000 }));
      if (refused === null) end++;
      return refused;
    };
    while (append() === null);
    assert.equal(log.first('logs'), 0, 'as long as nobody has joined, all count');
    assert.equal(log.join('new name'), 0, 'it begins with what is there');
    assert.match(told.join(), /The group old name has not read the last \d+ records/);
    assert.notEqual(append(), null, 'the new one has not read them either');
    for (let n = 0; n < 60; n++) {
      log.write(write({ commits: [['new name', end]] }));
      while (log.tend({ epochMs: NOW + n, monotonicMs: n }));
      assert.equal(append(), null);
    }
    assert(log.first('logs') > 4);
  });

  it('is let go after a week of passed time, if another is read as; that is told', async (t) => {
    const file = join(await folder(t), 'log.sqlite');
    {
      using log = open(file);
      log.join('old name');
      log.write(write({ nowMs: NOW, logs: 10 }));
      for (let day = 0; day < 20; day++) while (log.tend({ epochMs: NOW + day * DAY_MS, monotonicMs: day * DAY_MS }));
    }
    {
      using log = open(file);
      for (let day = 0; day < 20; day++) while (log.tend({ epochMs: NOW + day * DAY_MS, monotonicMs: day * DAY_MS }));
      assert.deepEqual(counts(log), [10, 0], 'nobody reads at all');
    }
    const told: string[] = [];
    using log = open(file, { tell: (message) => told.push(message) });
    log.join('new name');
    log.write(write({ commits: [['new name', 10]] }));
    for (let day = 0; day < 7; day++) while (log.tend({ epochMs: NOW + day * DAY_MS, monotonicMs: day * DAY_MS }));
    assert.deepEqual(counts(log), [10, 0]);
    for (let day = 7; day < 10; day++) while (log.tend({ epochMs: NOW + day * DAY_MS, monotonicMs: day * DAY_MS }));
    assert.deepEqual(counts(log), [1, 0]);
    assert.match(told.join(), /keeps nothing for the group old name any more/);
  });
});

describe('a folder that is deleted while it is used', () => {
  it('is made anew with all that was acked, and goes on', async (t) => {
    const dataDir = await folder(t);
    const warnings: string[] = [];
    const queue = await openQueue(dataDir, warnings);
    await queue.append(0, [record('one'), record('two')]);
    await queue.appendDeadLetters([letter]);
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

const letter = {
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

function open(file: string, options: Partial<LogOptions> = {}): SqliteLog {
  const tell = (): void => undefined;
  const sizes = { bytesMax: 64 * MIB, deadLettersBytesMax: 16 * MIB };
  return new SqliteLog({ file, readOnly: false, ...sizes, retentionMs: HOUR_MS, tell, ...options });
}

interface Wanted {
  readonly nowMs?: number;
  readonly logs?: number;
  readonly deadLetters?: number;
  readonly bytes?: number;
  readonly commits?: Write['commits'];
}

function write({ nowMs = NOW, logs = 0, deadLetters = 0, bytes = 10, commits = [] }: Wanted): Write {
  const stored = { offset: 0, timeMs: 0, headers: Buffer.alloc(0), value: Buffer.alloc(bytes, 1) };
  const times = (count: number) => Array.from({ length: count }, () => stored);
  const letterAppends = deadLetters === 0 ? [] : [{ owners: Array(deadLetters).fill(0), wholeBytes: 0 }];
  return { nowMs, logs: times(logs), deadLetters: times(deadLetters), letterAppends, commits };
}

function counts(log: SqliteLog): [logs: number, deadLetters: number] {
  return [log.end('logs') - log.first('logs'), log.end('dead-letters') - log.first('dead-letters')];
}

async function folder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-log-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

describe('tries', () => {
  it('are counted in a log of an earlier version, and kept by one that opens it later', async (t) => {
    const file = join(await folder(t), 'log.sqlite');
    {
      using log = open(file, {});
      log.write(write({ logs: 3 }));
      log.join('g');
    }
    {
      using database = new DatabaseSync(file);
      database.exec('ALTER TABLE group_offsets DROP COLUMN tries');
    }
    {
      using readOnly = open(file, { readOnly: true });
      assert.equal(readOnly.next('g'), 0);
    }
    for (const tries of [1, 2, 3]) {
      using log = open(file, {});
      assert.deepEqual(log.begin('g'), { next: 0, tries });
    }
    using log = open(file, {});
    log.join('g');
    log.write(write({ commits: [['g', 0]] }));
    assert.equal(log.begin('g').tries, 4, 'who only looks is not counted, and the same offset is no progress');
    log.write(write({ commits: [['g', 2]] }));
    assert.deepEqual(log.begin('g'), { next: 2, tries: 1 });
    log.write(write({ commits: [['g', 3]] }));
    assert.deepEqual(log.begin('g'), { next: 3, tries: 0 }, 'there is nothing to be tried');
  });
});
