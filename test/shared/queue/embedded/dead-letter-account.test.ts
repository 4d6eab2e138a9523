// The budget of the dead letters as the log's file has it: what the tables say is what is counted.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { DatabaseSync } from 'node:sqlite';
import { DeadLetterAccount } from '#shared/queue/embedded/dead-letter-account.ts';
import { SqliteLog } from '#shared/queue/embedded/sqlite-log.ts';
import { tmpfs } from '../file-systems.ts';
import { MIB, DAY_MS, folder } from './dead-letter-world.ts';

describe('the account of dead letters in the log', () => {
  const stored = { offset: 0, timeMs: 0, headers: Buffer.alloc(0), value: Buffer.alloc(5000, 1) };
  const write = (log: SqliteLog, count: number) =>
    log.write({
      now: { epochMs: Date.UTC(2026, 1, 1), monotonicMs: 0 },
      logs: [],
      deadLetters: Array.from({ length: count }, () => stored),
      deadLetterCharges: Array.from({ length: count }, () => ({ owners: [7], wholeBytes: 0 })),
      commits: [],
    });
  const openLog = (file: string, deadLettersBytesMax = 16 * MIB) =>
    new SqliteLog({
      file,
      readOnly: false,
      bytesMax: 16 * MIB,
      deadLettersBytesMax,
      retentionMs: 1000,
      tell: () => undefined,
    });

  it('gives back what ends by its age, and nothing before', async (t) => {
    const file = join(await folder(t), 'log.sqlite');
    using log = openLog(file);
    const written = write(log, 600);
    assert.equal(
      written.deadLettersRefused.filter((why) => why === null).length,
      512,
      'a quarter of 16 MiB in pages of 8 KiB',
    );
    const tend = (days: number) => {
      while (log.tend({ epochMs: Date.UTC(2026, 1, 1) + days * DAY_MS, monotonicMs: days * DAY_MS }));
    };
    for (let day = 0; day < 7; day++) tend(day);
    assert.equal(log.deadLetters.bytesStored, 4 * MIB);
    assert.deepEqual(write(log, 1).deadLettersRefused, [{ budget: 'sender_share' }]);
    for (let day = 7; day < 9; day++) tend(day);
    assert.equal(log.deadLetters.bytesStored, 8192, 'the last one stays');
    assert.deepEqual(write(log, 1).deadLettersRefused, [null]);
  });

  it('counts what an earlier version has written, and what it has removed', async (t) => {
    const file = join(await folder(t), 'log.sqlite');
    {
      using log = openLog(file);
      write(log, 10);
    }
    const database = new DatabaseSync(file);
    database.exec('DROP TABLE dead_letter_costs');
    {
      using log = openLog(file);
      assert.equal(log.deadLetters.bytesStored, 10 * 8192);
    }
    database.exec('DELETE FROM dead_letters WHERE offset < 4');
    database.close();
    using log = openLog(file);
    assert.equal(log.deadLetters.bytesStored, 6 * 8192);
  });
});

describe('the account', () => {
  it('does not count twice what was not written, nor once less', () => {
    using database = new DatabaseSync(':memory:');
    database.exec('CREATE TABLE dead_letters (offset INTEGER PRIMARY KEY, headers BLOB, value BLOB)');
    const account = new DeadLetterAccount(database, { readOnly: false, deadLettersBytesMax: 16 * MIB });
    const records = [{ offset: 0, timeMs: 0, headers: Buffer.alloc(0), value: Buffer.alloc(5000) }];
    const admit = () => account.admitted(records, [{ owners: [7], wholeBytes: 0 }]);
    account.append(0, admit());
    assert.equal(account.bytesStored, 8192);
    account.withdraw(admit());
    assert.equal(account.bytesStored, 8192);
    // A removal that failed on a full device, between the one and the other.
    const admitted = admit();
    account.reload();
    account.withdraw(admitted);
    assert.equal(account.bytesStored, 8192);
  });

  it('is what the tables say, however many writes a full device refuses', (t) => {
    const device = tmpfs(t, 'size=24m');
    if (device === null) return t.skip('no file system can be mounted here');
    const file = join(device, 'log.sqlite');
    const value = randomBytes(5000);
    const stored = { offset: 0, timeMs: 0, headers: Buffer.alloc(0), value };
    using log = new SqliteLog({
      file,
      readOnly: false,
      bytesMax: 16 * MIB,
      deadLettersBytesMax: 16 * MIB,
      retentionMs: 0,
      tell: () => undefined,
    });
    const write = (deadLetters: number, logs: number) =>
      log.write({
        now: { epochMs: Date.UTC(2026, 1, 1), monotonicMs: 0 },
        logs: Array.from({ length: logs }, () => stored),
        deadLetters: Array.from({ length: deadLetters }, () => stored),
        deadLetterCharges: Array.from({ length: deadLetters }, () => ({ owners: [7], wholeBytes: 0 })),
        commits: [],
      });
    write(10, 100);
    log.join('g');
    log.write({
      now: { epochMs: 0, monotonicMs: 0 },
      logs: [],
      deadLetters: [],
      deadLetterCharges: [],
      commits: [['g', 100]],
    });
    // What a checkpoint frees would be room for a removal.
    const other = new DatabaseSync(file);
    other.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    other.close();
    try {
      for (;;) appendFileSync(join(device, 'filler'), Buffer.alloc(4096));
    } catch {
      // It is full.
    }
    for (let i = 0; i < 20; i++) assert.notEqual(write(3, 1).deadLettersRefused[0], null);
    assert.equal(log.deadLetters.bytesStored, 10 * 8192);
  });
});
