// The cursor of a spool against a model: partitions that take a few records now and then, or none at all, records that
// keep coming, and restarts from the floor. Each record is taken once, those of a partition in order, and none before
// the floor is missing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FeedCursor } from '#shared/queue/spooled/feed/feed-cursor.ts';
import { seeded } from '#test/indexer/world.ts';

const PARTITIONS = 4;
const RECORDS = 200;
const ROOM = 3;

test('60 seeds: each record is taken once, in the order of its partition, whatever is stuck meanwhile', () => {
  for (let seed = 0; seed < 60; seed++) run(seed);
});

test('a partition that takes nothing holds up no other', () => {
  const cursor = new FeedCursor(0);
  let taken = 0;
  for (let offset = 0; offset < 1000; offset++) {
    const partition = offset % 3;
    const meeting = cursor.meet(partition, offset, partition !== 0);
    assert.equal(meeting, partition === 0 ? 'left' : 'taken');
    if (meeting === 'taken') taken++;
  }
  assert.equal(taken, 666);
  assert.equal(cursor.floor, 0);
  assert.equal(cursor.wanted({ canAccept: () => false, readsOn: () => true }), 1000, 'reading goes on behind the last');
  assert.equal(cursor.wanted({ canAccept: () => false, readsOn: () => false }), null, 'or nowhere');
  assert.equal(
    cursor.wanted({ canAccept: (partition) => partition === 0, readsOn: () => true }),
    0,
    'or back, for what was left',
  );
});

function run(seed: number): void {
  const random = seeded(seed);
  const log = Array.from({ length: RECORDS }, () => Math.floor(random() * PARTITIONS));
  const taken = Array.from({ length: PARTITIONS }, (): number[] => []);
  const inHand = new Array<number>(PARTITIONS).fill(0);
  const offsets = inHand.map((_, partition) => log.flatMap((of, offset) => (of === partition ? [offset] : [])));
  const stuck = Math.floor(random() * PARTITIONS);
  let end = 0;
  const cursor = new FeedCursor(0);
  for (let step = 0; step < 20_000; step++) {
    const isOver = end === RECORDS && step > 3000;
    // The queue behind takes something of a partition, but for a long time nothing of one of them.
    const partition = Math.floor(random() * PARTITIONS);
    if ((partition !== stuck || isOver) && (inHand[partition] ?? 0) > 0)
      inHand[partition] = (inHand[partition] ?? 0) - 1;
    if (random() < 0.3) end = Math.min(RECORDS, end + 1);
    // Records are read again from where they were committed.
    if (random() < 0.01) cursor.seek(cursor.floor);
    const wanted = cursor.wanted({
      canAccept: (partition) => (inHand[partition] ?? 0) <= 1,
      readsOn: () => random() < 0.9,
    });
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
    assert.deepEqual(taken, offsets, `seed ${seed}: each partition in order, each record once`);
    return;
  }
  assert.fail(`seed ${seed}: not all was taken`);
}
