// The times of records under clocks that jump, and what is read by them.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import { openEmbeddedQueue } from '#shared/queue/embedded/embedded-queue.ts';
import type { SqliteLog } from '#shared/queue/embedded/sqlite-log.ts';
import { MIB, HOUR_MS, DAY_MS, NOW, open, write, counts, folder } from './log-world.ts';

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
