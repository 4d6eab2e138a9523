// The log of the embedded queue and of the spool where the world around it misbehaves: clocks that jump, groups that
// were renamed, and a folder that is deleted or replaced while it is used.

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

describe('times of records', () => {
  const YEAR_MS = 365 * DAY_MS;
  const times = (log: SqliteLog): number[] => log.fetch('logs', 0, MIB).map(({ timeMs }) => timeMs - NOW);

  /**
   * A clock that was a year ahead for two minutes; records every minute, the process started again where `restarts`.
   */
  function appended(file: string, restarts: boolean): SqliteLog {
    let log = open(file);
    for (let minute = 0; minute < 20; minute++) {
      if (restarts && minute === 15) {
        log[Symbol.dispose]();
        log = open(file);
      }
      const ms = minute * 60_000;
      const epochMs = NOW + ms + (minute === 2 || minute === 3 ? YEAR_MS : 0);
      log.write(write({ nowMs: epochMs, monotonicMs: ms, logs: 1 }));
    }
    return log;
  }

  it('stay where a clock was ahead for some minutes only, and are found by time before and after', async (t) => {
    using log = appended(join(await folder(t), 'log.sqlite'), false);
    const minutes = times(log).map((ms) => ms / 60_000);
    const aheadMinutes = YEAR_MS / 60_000;
    assert.deepEqual(minutes.slice(0, 5), [0, 1, aheadMinutes + 2, aheadMinutes + 3, aheadMinutes + 3]);
    assert.deepEqual(minutes.slice(13), [aheadMinutes + 3, 14, 15, 16, 17, 18, 19]);
    const from = (minute: number): number => log.offsetAt('logs', NOW + minute * 60_000);
    const to = (minute: number): number => log.endBefore('logs', NOW + minute * 60_000);
    assert.deepEqual([from(-1), from(0.5), from(1)], [0, 1, 1]);
    assert.equal(from(16), 2, 'what has a later time, and what came after it');
    assert.equal(from(aheadMinutes + 3), 3);
    assert.equal(from(2 * aheadMinutes), 20);
    assert.deepEqual([to(0), to(1), to(14), to(16), to(aheadMinutes + 3)], [0, 1, 2, 16, 20]);
    assert.equal(log.thereSince('logs', 1), NOW + 60_000);
    assert.equal(log.thereSince('logs', 3), NOW + 14 * 60_000, 'it came before one of that time');
    assert.equal(log.thereSince('logs', 17), NOW + 17 * 60_000);
    assert.equal(log.thereSince('logs', 20), null);
  });

  it('are right again some minutes after a start, too, and where nothing was appended meanwhile', async (t) => {
    const file = join(await folder(t), 'log.sqlite');
    {
      using log = open(file);
      log.write(write({ nowMs: NOW + YEAR_MS, monotonicMs: 0, logs: 1, deadLetters: 1 }));
    }
    using log = open(file);
    log.tend({ epochMs: NOW, monotonicMs: 5 });
    log.tend({ epochMs: NOW + 700_000, monotonicMs: 700_005 });
    log.write(write({ nowMs: NOW + 700_000, monotonicMs: 700_005, logs: 1, deadLetters: 1 }));
    assert.deepEqual(times(log), [YEAR_MS, 700_000]);
    assert.equal(log.fetch('dead-letters', 1, MIB)[0]?.timeMs, NOW + 700_000);
  });

  it('bound what is read from the queue, also where a later record has an earlier time', async (t) => {
    let epochMs = NOW;
    let monotonicMs = 0;
    const clock = { ...systemClock, epochMs: () => epochMs, monotonicMs: () => monotonicMs };
    const options = { dataDir: await folder(t), bytesMax: 64 * MIB, retentionMs: HOUR_MS, readOnly: false, clock };
    await using queue = await openEmbeddedQueue({ ...options, warn: () => undefined });
    for (const [text, ahead, ms] of [
      ['before', 0, 0],
      ['ahead', YEAR_MS, 1],
      ['waiting', 0, 2],
      ['after', 0, 700_000],
    ] as const) {
      epochMs = NOW + ms + ahead;
      monotonicMs = ms;
      await queue.append(0, [{ encoding: 'identity', batches: Buffer.from('batches'), value: Buffer.from(text) }]);
    }
    const read = async (times: { fromMs?: number; toMs?: number }): Promise<string[]> => {
      const records = await Array.fromAsync(queue.read({ topic: 'logs', ...times }));
      return records.map(({ value }) => Buffer.from(value).toString());
    };
    assert.deepEqual(await read({}), ['before', 'ahead', 'waiting', 'after']);
    assert.deepEqual(await read({ toMs: NOW + HOUR_MS }), ['before', 'after']);
    assert.deepEqual(await read({ fromMs: NOW + 1 }), ['ahead', 'waiting', 'after'], 'from the first one on');
    assert.deepEqual(await read({ fromMs: NOW + 1, toMs: NOW + 700_000 }), []);
  });

  it('do not go back to 1970 where a clock begins there at a start', async (t) => {
    const file = join(await folder(t), 'log.sqlite');
    {
      using log = open(file);
      log.write(write({ nowMs: NOW, monotonicMs: 0, logs: 1 }));
    }
    using log = open(file);
    log.write(write({ nowMs: 0, monotonicMs: 0, logs: 1 }));
    log.write(write({ nowMs: 30_000, monotonicMs: 30_000, logs: 1 }));
    log.write(write({ nowMs: NOW + 40_000, monotonicMs: 31_000, logs: 1 }));
    assert.deepEqual(times(log), [0, 0, 0, 40_000]);
  });

  it('begin anew again where the transaction that said so was undone', async (t) => {
    using log = open(join(await folder(t), 'log.sqlite'));
    log.write(write({ nowMs: NOW + YEAR_MS, monotonicMs: 0, logs: 1 }));
    log.write(write({ nowMs: NOW, monotonicMs: 1, logs: 1 }));
    const undone = write({ nowMs: NOW + HOUR_MS, monotonicMs: HOUR_MS, logs: 1 });
    // Nothing that SQLite takes.
    const commits = [['g', Symbol('no number') as unknown as number]] as const;
    assert.throws(() => log.write({ ...undone, commits }));
    log.write(undone);
    assert.deepEqual(times(log), [YEAR_MS, YEAR_MS, HOUR_MS]);
  });

  it('are read from a log of an earlier version, and what was removed leaves no note', async (t) => {
    const file = join(await folder(t), 'log.sqlite');
    appended(file, true)[Symbol.dispose]();
    const notes = (): unknown[] => {
      using database = new DatabaseSync(file);
      return database.prepare('SELECT start FROM time_runs').all();
    };
    assert.equal(notes().length, 1);
    {
      using log = open(file, { retentionMs: 0 });
      log.join('g');
      log.write(write({ nowMs: NOW + DAY_MS, commits: [['g', 20]] }));
      while (log.tend({ epochMs: NOW + DAY_MS, monotonicMs: 0 }));
      assert.deepEqual(counts(log), [1, 0]);
    }
    assert.equal(notes().length, 0);
    {
      using database = new DatabaseSync(file);
      database.exec('DROP TABLE time_runs');
    }
    using log = open(file, { readOnly: true });
    assert.equal(log.offsetAt('logs', 0), 19);
    assert.equal(log.endBefore('logs', 0), 19);
  });
});

it('heads of records are read within bounds of bytes', async (t) => {
  using log = open(join(await folder(t), 'log.sqlite'));
  const stored = { offset: 0, timeMs: 0, headers: Buffer.alloc(MIB, 1), value: Buffer.alloc(10) };
  log.write({ ...write({}), logs: Array.from({ length: 10 }, () => stored) });
  assert.equal(log.heads('logs', 0, 1000).length, 4);
  assert.equal(log.heads('logs', 9, 1000).length, 1);
});

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
  readonly monotonicMs?: number;
  readonly logs?: number;
  readonly deadLetters?: number;
  readonly bytes?: number;
  readonly commits?: Write['commits'];
}

function write({ nowMs = NOW, monotonicMs, logs = 0, deadLetters = 0, bytes = 10, commits = [] }: Wanted): Write {
  const stored = { offset: 0, timeMs: 0, headers: Buffer.alloc(0), value: Buffer.alloc(bytes, 1) };
  const times = (count: number) => Array.from({ length: count }, () => stored);
  const deadLetterCharges = deadLetters === 0 ? [] : [{ owners: Array(deadLetters).fill(0), wholeBytes: 0 }];
  return {
    now: { epochMs: nowMs, monotonicMs: monotonicMs ?? nowMs },
    logs: times(logs),
    deadLetters: times(deadLetters),
    deadLetterCharges,
    commits,
  };
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
