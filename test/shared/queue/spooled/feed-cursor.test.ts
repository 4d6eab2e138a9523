// The cursor of a spool against a model: lines that take a few records now and then, or none at all, records that keep
// coming, and restarts from the floor. Each record is taken once, those of a line in order, and none before the floor
// is missing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FeedCursor } from '#shared/queue/spooled/feed-cursor.ts';
import { seeded } from '#test/indexer/world.ts';

const LINES = 4;
const RECORDS = 200;
const ROOM = 3;

test('60 seeds: each record is taken once, in the order of its line, whatever is stuck meanwhile', () => {
  for (let seed = 0; seed < 60; seed++) run(seed);
});

test('a line that takes nothing holds up no other', () => {
  const cursor = new FeedCursor(0);
  let taken = 0;
  for (let offset = 0; offset < 1000; offset++) {
    const line = offset % 3;
    const meeting = cursor.meet(line, offset, line !== 0);
    assert.equal(meeting, line === 0 ? 'left' : 'taken');
    if (meeting === 'taken') taken++;
  }
  assert.equal(taken, 666);
  assert.equal(cursor.floor, 0);
  assert.equal(cursor.wanted({ hasRoom: () => false, readsOn: () => true }), 1000, 'reading goes on behind the last');
  assert.equal(cursor.wanted({ hasRoom: () => false, readsOn: () => false }), null, 'or nowhere');
  assert.equal(cursor.wanted({ hasRoom: (line) => line === 0, readsOn: () => true }), 0, 'or back, for what was left');
});

function run(seed: number): void {
  const random = seeded(seed);
  const log = Array.from({ length: RECORDS }, () => Math.floor(random() * LINES));
  const taken = Array.from({ length: LINES }, (): number[] => []);
  const inHand = new Array<number>(LINES).fill(0);
  const offsets = inHand.map((_, line) => log.flatMap((of, offset) => (of === line ? [offset] : [])));
  const stuck = Math.floor(random() * LINES);
  let end = 0;
  const cursor = new FeedCursor(0);
  for (let step = 0; step < 20_000; step++) {
    const isOver = end === RECORDS && step > 3000;
    // The queue behind takes something of a line, but for a long time nothing of one of them.
    const line = Math.floor(random() * LINES);
    if ((line !== stuck || isOver) && (inHand[line] ?? 0) > 0) inHand[line] = (inHand[line] ?? 0) - 1;
    if (random() < 0.3) end = Math.min(RECORDS, end + 1);
    // Records are read again from where they were committed.
    if (random() < 0.01) cursor.seek(cursor.floor);
    const wanted = cursor.wanted({ hasRoom: (l) => (inHand[l] ?? 0) <= 1, readsOn: () => random() < 0.9 });
    if (wanted !== null && wanted !== cursor.position) cursor.seek(wanted);
    const fetched = wanted === null ? 0 : Math.floor(random() * 5);
    for (let n = 0; n < fetched && cursor.position < end; n++) {
      const offset = cursor.position;
      const of = log[offset] ?? 0;
      if (cursor.meet(of, offset, (inHand[of] ?? 0) < ROOM) !== 'taken') continue;
      taken[of]?.push(offset);
      inHand[of] = (inHand[of] ?? 0) + 1;
    }
    const { floor } = cursor;
    for (const [l, expected] of offsets.entries()) {
      const first = expected[taken[l]?.length ?? 0];
      assert(first === undefined || first >= floor, `seed ${seed}: ${first} was not taken, and the floor is ${floor}`);
    }
    if (floor < RECORDS) continue;
    assert.deepEqual(taken, offsets, `seed ${seed}: each line in order, each record once`);
    return;
  }
  assert.fail(`seed ${seed}: not all was taken`);
}
