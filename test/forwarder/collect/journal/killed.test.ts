// The collector of the journal is killed again and again while entries are written: each is there, under one name.
// SLUICE_TEST_JOURNAL_KILLS=200 makes this longer.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Collector } from '../files/collecting-process.ts';
import { entries, JournalWriter, noJournal } from './journal-files.ts';

const KILLS = Number(process.env['SLUICE_TEST_JOURNAL_KILLS'] ?? 8);

test(`killed ${KILLS} times`, { skip: noJournal, timeout: 60_000 + KILLS * 5000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-journal-kills-'));
  const journals = join(folder, 'journals');
  mkdirSync(journals);
  const collector = new Collector(folder, `journal:${journals}`);
  const until = async (count: number): Promise<void> => {
    while (collector.held().texts.size < count) await delay(5);
  };
  let written = 0;
  try {
    await using writer = new JournalWriter(journals, 'a.journal');
    const write = (count: number): void => {
      writer.write(entries(written + 1, written + count, { fields: { _SYSTEMD_UNIT: 'a.service' } }));
      written += count;
    };
    for (let kill = 0; kill < KILLS; kill += 1) {
      await collector.start();
      write(300);
      // Some of them are held, and the place may be saved or not.
      await until(written - 300 + 1 + ((kill * 37) % 300));
      if (kill % 3 === 0) await delay(600);
      write(20);
      await collector.kill();
    }
    await collector.start();
    await until(written);
    await collector.stop();
    const { count, repeats, texts } = collector.held();
    assert.equal(collector.kills + 1, KILLS);
    assert.deepEqual([count, texts.size], [written, written]);
    assert.ok([...texts.values()].every((times) => times === 1));
    // What was held and not saved came again, under the same name.
    assert.ok(repeats > 0);
    assert.ok(!collector.told.join('').includes('journal_cursor_lost'));
  } finally {
    await collector.kill();
    rmSync(folder, { recursive: true, force: true });
  }
});
