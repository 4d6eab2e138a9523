// A real journald that rotates, and files that vacuuming takes: while the collector reads, waits, or is away.

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { test } from 'node:test';
import { Journald, noJournald } from './journald.ts';
import { JournalWorld } from './journal-world.ts';

const options = { skip: noJournald, timeout: 60_000 };

/** Only lines of our own: journald says something too. */
const ours = (world: JournalWorld): string[] => world.intake.lines.filter((line) => line.startsWith('line '));
const lines = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => `line ${from + i}`);

async function opened(): Promise<{ world: JournalWorld; journald: Journald }> {
  const world = new JournalWorld();
  const journald = new Journald(world.path('journald'));
  await journald.start();
  return { world, journald };
}

test('rotation while it is read takes and doubles nothing', options, async () => {
  const { world: made, journald: started } = await opened();
  await using world = made;
  await using journald = started;
  await using reading = await world.start({ directory: journald.journals });
  for (let turn = 0; turn < 5; turn += 1) {
    journald.write(lines(turn * 100 + 1, turn * 100 + 100));
    if (turn % 2 === 0) await world.until(() => ours(world).length >= turn * 100 + 50);
    await journald.rotate();
  }
  await world.until(() => ours(world).length >= 500);
  assert.deepEqual(ours(world), lines(1, 500));
  assert.equal(world.intake.repeats, 0);
  assert.equal(await reading.metric('collect_journal_lost_entries_total'), 0);
});

test('equal lines of the same moment are each there', options, async () => {
  const { world: made, journald: started } = await opened();
  await using world = made;
  await using journald = started;
  await using _ = await world.start({ directory: journald.journals });
  journald.write(Array.from({ length: 500 }, () => 'line same'));
  await world.until(() => ours(world).length >= 500);
});

test('what was vacuumed while it was away is counted to the entry', options, async () => {
  const { world: made, journald: started } = await opened();
  await using world = made;
  await using journald = started;
  const directory = journald.journals;
  {
    await using _ = await world.start({ directory });
    journald.write(lines(1, 10));
    await world.until(() => ours(world).length >= 10);
  }
  journald.write(lines(11, 30));
  await journald.hasWritten('line 30');
  await journald.rotate();
  journald.write(lines(31, 40));
  const [oldest = ''] = journald.files();
  assert.match(oldest, /@/);
  // Journald and the kernel may have said something, too.
  const messages = journald.messagesOf(oldest);
  const lost = messages.length - 1 - messages.lastIndexOf(world.intake.lines.at(-1) ?? '');
  assert.ok(lost >= 20 && messages.includes('line 30'));
  rmSync(oldest);
  await using reading = await world.start({ directory });
  await world.until(() => ours(world).length >= 20);
  assert.deepEqual(ours(world), [...lines(1, 10), ...lines(31, 40)]);
  assert.equal(await reading.metric('collect_journal_cursors_lost_total'), 1);
  assert.equal(await reading.metric('collect_journal_lost_entries_total'), lost);
});

test('what was vacuumed while it waited for room is counted to the entry', options, async () => {
  const { world: made, journald: started } = await opened();
  await using world = made;
  await using journald = started;
  await using reading = await world.start({ directory: journald.journals });
  journald.write(lines(1, 1));
  await world.until(() => ours(world).length === 1);
  world.intake.setRoom(false);
  // More than the pipe and what was read of it hold.
  journald.write(lines(2, 3000));
  await journald.hasWritten('line 3000');
  await journald.rotate();
  journald.write(lines(3001, 3010));
  const [oldest = ''] = journald.files();
  rmSync(oldest);
  await journald.rotate();
  world.intake.setRoom(true);
  await world.until(() => ours(world).includes('line 3010'));
  const lost = await reading.metric('collect_journal_lost_entries_total');
  assert.ok(lost > 0, 'some were gone');
  assert.equal(ours(world).length + lost, 3010);
});
