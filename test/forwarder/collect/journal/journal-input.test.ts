// The collector of the journal against the real journalctl and real journal files.

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { SluiceError } from '#shared/errors.ts';
import { entries, JournalWriter, noJournal, writeJournal } from './journal-files.ts';
import { JournalWorld } from './journal-world.ts';

const options = { skip: noJournal, timeout: 60_000 };
const lines = (from: number, to: number): string[] => entries(from, to).map(({ n }) => `line ${n}`);

test('all boots are read, then what is written, each entry under its own name', options, async () => {
  await using world = new JournalWorld();
  writeJournal(world.journals, 'a.journal', [...entries(1, 5, { boot: 1 }), ...entries(6, 10, { boot: 2 })]);
  await using _ = await world.start();
  assert.deepEqual(await world.untilLines(10), lines(1, 10));
  await using writer = new JournalWriter(world.journals, 'b.journal');
  writer.write(entries(11, 12, { boot: 3 }));
  assert.deepEqual(await world.untilLines(12), lines(1, 12));
  writer.write(entries(13, 13, { boot: 3 }));
  assert.deepEqual(await world.untilLines(13), lines(1, 13));
  assert.equal(world.intake.repeats, 0);
});

test('the next process goes on behind what was held, and reads nothing twice', options, async () => {
  await using world = new JournalWorld();
  writeJournal(world.journals, 'a.journal', entries(1, 300));
  {
    await using _ = await world.start();
    await world.untilLines(300);
  }
  writeJournal(world.journals, 'a.journal', entries(301, 305));
  await using reading = await world.start();
  assert.deepEqual(await world.untilLines(305), lines(1, 305));
  assert.equal(world.intake.repeats, 0);
  assert.equal(await reading.metric('collect_journal_entries_total'), 5);
  assert.equal(await reading.metric('collect_journal_lost_entries_total'), 0);
  assert.equal(await reading.metric('collect_journal_reading'), 1);
  assert.deepEqual(world.tellings('journal_cursor_lost'), []);
});

test('the place moves only behind what the queue holds', options, async () => {
  await using world = new JournalWorld();
  writeJournal(world.journals, 'a.journal', entries(1, 50));
  let isRefused = true;
  world.intake.before = (chunk) =>
    isRefused && Buffer.from(chunk.entries).includes('line 7')
      ? Promise.reject(new SluiceError('queue_unavailable', 'Cannot take events: it is away'))
      : Promise.resolve();
  {
    await using _ = await world.start();
    await world.untilLines(49);
  }
  isRefused = false;
  await using reading = await world.start();
  const held = await world.untilLines(50);
  assert.deepEqual(held.toSorted(), lines(1, 50).toSorted());
  // All but the first six, under the same names.
  await world.until(() => world.intake.repeats === 43);
  assert.equal(await reading.metric('collect_journal_entries_total'), 44);
});

test('what is refused is given again, and comes once', options, async () => {
  await using world = new JournalWorld();
  writeJournal(world.journals, 'a.journal', entries(1, 20));
  let refusals = 0;
  world.intake.before = () => {
    refusals += 1;
    return refusals % 3 === 1 ? Promise.reject(new Error('not now')) : Promise.resolve();
  };
  await using _ = await world.start();
  assert.deepEqual((await world.untilLines(20)).toSorted(), lines(1, 20).toSorted());
  assert.equal(world.intake.repeats, 0);
});

test('a place that rotation took is told, and reading goes on at the oldest entry', options, async () => {
  await using world = new JournalWorld();
  writeJournal(world.journals, 'a.journal', entries(1, 5));
  {
    await using _ = await world.start();
    await world.untilLines(5);
  }
  writeJournal(world.journals, 'b.journal', entries(6, 10));
  fs.rmSync(join(world.journals, 'a.journal'));
  {
    await using reading = await world.start();
    // journalctl --after-cursor would pass over line 6.
    assert.deepEqual(await world.untilLines(10), lines(1, 10));
    assert.equal(await reading.metric('collect_journal_cursors_lost_total'), 1);
  }
  assert.match(String((await world.untilTold('journal_cursor_lost'))['cursor']), /^s=/);
  await using reading = await world.start();
  writeJournal(world.journals, 'b.journal', entries(11, 11));
  assert.deepEqual(await world.untilLines(11), lines(1, 11));
  assert.equal(await reading.metric('collect_journal_cursors_lost_total'), 0);
});

test(
  'a place that is gone with all entries after it: what comes is read, however old its time is',
  options,
  async () => {
    await using world = new JournalWorld();
    writeJournal(world.journals, 'a.journal', entries(100, 105));
    {
      await using _ = await world.start();
      await world.untilLines(6);
    }
    fs.rmSync(join(world.journals, 'a.journal'));
    await using _ = await world.start();
    await world.untilTold('journal_cursor_lost');
    writeJournal(world.journals, 'b.journal', entries(1, 3));
    assert.deepEqual(await world.untilLines(9), [...lines(100, 105), ...lines(1, 3)]);
  },
);

test('a place that journalctl does not take is gone', options, async () => {
  for (const cursor of ['rubbish', '-x', '\n']) {
    await using world = new JournalWorld();
    writeJournal(world.journals, 'a.journal', entries(1, 2));
    {
      await using _ = await world.start();
      await world.untilLines(2);
    }
    using database = new DatabaseSync(join(world.dataDir, 'collect/files.sqlite'));
    database.prepare('UPDATE journal_place SET cursor = ?').run(cursor);
    await using _ = await world.start();
    await world.until(() => world.intake.repeats === 2);
    assert.equal(world.tellings('journal_cursor_lost').length, 1);
  }
});

test('from the end: what is there at the first start is left out, what comes later is not', options, async () => {
  await using world = new JournalWorld();
  writeJournal(world.journals, 'a.journal', entries(1, 5));
  {
    await using _ = await world.start({ from: 'end' });
    await world.untilTold('collecting_journal');
  }
  writeJournal(world.journals, 'a.journal', entries(6, 8));
  await using _ = await world.start({ from: 'end' });
  assert.deepEqual(await world.untilLines(3), lines(6, 8));
});

test('from the end of an empty journal', options, async () => {
  await using world = new JournalWorld();
  {
    await using _ = await world.start({ from: 'end' });
    await world.untilTold('collecting_journal');
  }
  writeJournal(world.journals, 'a.journal', entries(1, 3));
  await using _ = await world.start({ from: 'end' });
  assert.deepEqual(await world.untilLines(3), lines(1, 3));
});

test('fields of any bytes, and an entry that is too large', options, async () => {
  await using world = new JournalWorld();
  const odd = Buffer.from([0, 255, 10, 10, 61, 10]);
  writeJournal(world.journals, 'a.journal', [
    { n: 1, message: odd, fields: { CONTAINER_ID_FULL: 'c1', _HOSTNAME: 'n', CONTAINER_PARTIAL_MESSAGE: 'true' } },
    { n: 2, message: 'x'.repeat(300_000) },
    { n: 3, message: 'y'.repeat(2_000_000) },
    { n: 4 },
  ]);
  {
    await using _ = await world.start();
    await world.until(() => world.intake.held.size === 3 && world.intake.deadLetters.length === 1);
  }
  const [first, second, last] = [...world.intake.held.values()];
  assert.ok(world.intake.chunks.some((chunk) => Buffer.from(chunk.entries).includes(odd)));
  assert.deepEqual(
    ['container.id', 'host.name', 'log.level', 'CONTAINER_PARTIAL_MESSAGE'].map((name) => first?.[name]),
    ['c1', 'n', 'info', 'true'],
  );
  assert.equal(String(second?.['log']).length, 300_000);
  assert.equal(last?.['log'], 'line 4');
  const [letter] = world.intake.deadLetters;
  assert.deepEqual([letter?.reason, letter?.input, letter?.cut], ['entry_too_large', 'journald', true]);
  assert.match(Buffer.from(letter?.bytes ?? []).toString('latin1'), /^__CURSOR=[^]*MESSAGE/);
  await using _ = await world.start();
  writeJournal(world.journals, 'a.journal', entries(5, 5));
  await world.untilLines(4);
  assert.equal(world.intake.deadLetters.length, 1);
});

test('the newest entry is too large, and the process ends there', options, async () => {
  await using world = new JournalWorld();
  writeJournal(world.journals, 'a.journal', [{ n: 1 }, { n: 2, message: 'y'.repeat(2_000_000) }]);
  {
    await using _ = await world.start();
    await world.until(() => world.intake.deadLetters.length === 1);
  }
  await using _ = await world.start();
  writeJournal(world.journals, 'a.journal', entries(3, 3));
  assert.deepEqual(await world.untilLines(2), ['line 1', 'line 3']);
});

test('without room journalctl waits, and nothing is kept in memory', options, async () => {
  await using world = new JournalWorld();
  writeJournal(world.journals, 'a.journal', entries(1, 3000, { message: 'x'.repeat(2000) }));
  world.intake.setRoom(false);
  await using reading = await world.start();
  await world.untilLines(1);
  for (let turns = 0; turns < 200; turns += 1) await new Promise(setImmediate);
  assert.equal(world.intake.chunks.length, 1);
  assert.equal(await reading.metric('collect_journal_entries_total'), 1);
  world.intake.setRoom(true);
  await world.untilLines(3000);
});

test('no more than some entries are on their way', options, async () => {
  await using world = new JournalWorld();
  writeJournal(world.journals, 'a.journal', entries(1, 1000));
  const { promise, resolve } = Promise.withResolvers<void>();
  let asked = 0;
  world.intake.before = () => {
    asked += 1;
    return promise;
  };
  await using reading = await world.start();
  await world.until(() => asked >= 128);
  for (let turns = 0; turns < 200; turns += 1) await new Promise(setImmediate);
  assert.equal(asked, 128);
  // They were written in 2023.
  assert.ok((await reading.metric('collect_journal_behind_seconds')) > 1e7);
  resolve();
  await world.untilLines(1000);
});

test('units are chosen, also those that come later; what is left out needs no second reading', options, async () => {
  await using world = new JournalWorld();
  const of = (n: number, unit: string) => ({ n, fields: { _SYSTEMD_UNIT: unit } });
  writeJournal(world.journals, 'a.journal', [of(1, 'web@1.service'), of(2, 'db.service'), of(3, 'web@debug.service')]);
  const rule = { units: ['web@*'], exclude: ['web@debug'] };
  {
    await using reading = await world.start(rule);
    await world.untilLines(1);
    writeJournal(world.journals, 'a.journal', [of(4, 'web@2.service'), of(5, 'db.service')]);
    assert.deepEqual(await world.untilLines(2), ['line 1', 'line 4']);
    while ((await reading.metric('collect_journal_passed_entries_total')) < 3);
  }
  await using reading = await world.start();
  writeJournal(world.journals, 'a.journal', [of(6, 'db.service')]);
  assert.deepEqual(await world.untilLines(3), ['line 1', 'line 4', 'line 6']);
  assert.equal(await reading.metric('collect_journal_entries_total'), 1);
});

test('a file that is damaged takes nothing from the others', options, async () => {
  await using world = new JournalWorld();
  writeJournal(world.journals, 'a.journal', entries(1, 200));
  writeJournal(world.journals, 'b.journal', entries(201, 210));
  fs.writeFileSync(join(world.journals, 'c.journal'), 'no journal\n'.repeat(1000));
  const file = fs.openSync(join(world.journals, 'a.journal'), 'r+');
  // Its header stays, and the first of its entries.
  for (let at = 20_000; at < 4_000_000; at += 4096) fs.writeSync(file, Buffer.alloc(2048, 0xa5), 0, 2048, at);
  fs.closeSync(file);
  await using _ = await world.start();
  await world.until(() => world.intake.lines.includes('line 210'));
  assert.deepEqual(world.intake.lines.slice(-10), lines(201, 210));
});
