// What a log keeps and for whom, whatever the clocks say: by the time that has passed, and for groups that may have
// been renamed.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { MIB, HOUR_MS, DAY_MS, NOW, open, write, counts, folder } from './log-world.ts';

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
      assert.deepEqual(log.start('g'), { next: 0, tries });
    }
    using log = open(file, {});
    log.join('g');
    log.write(write({ commits: [['g', 0]] }));
    assert.equal(log.start('g').tries, 4, 'who only looks is not counted, and the same offset is no progress');
    log.write(write({ commits: [['g', 2]] }));
    assert.deepEqual(log.start('g'), { next: 2, tries: 1 });
    log.write(write({ commits: [['g', 3]] }));
    assert.deepEqual(log.start('g'), { next: 3, tries: 0 }, 'there is nothing to be tried');
  });
});
