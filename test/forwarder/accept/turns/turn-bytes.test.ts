// What one turn of the event loop may have, by bytes and by what each step costs beside them; and whose turn comes
// next.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TurnBytes } from '#forwarder/accept/turns/turn-bytes.ts';

const KIB = 1024;
const turn = (): Promise<unknown> => new Promise(setImmediate);

test('steps of a few bytes are counted with what they cost', async () => {
  const turnBytes = new TurnBytes(128 * KIB);
  let taken = 0;
  while (turnBytes.take(1)) taken += 1;
  assert.ok(taken > 100 && taken < 300, `${taken} steps`);
  await turn();
  assert.ok(turnBytes.take(1));
});

test('who waits goes on in order, a few a turn, and nobody goes before', async () => {
  const turnBytes = new TurnBytes(128 * KIB);
  assert.ok(turnBytes.take(128 * KIB));
  const order: number[] = [];
  const waits = [0, 1, 2, 3].map((i) => turnBytes.wait(100 * KIB).then(() => order.push(i)));
  assert.ok(!turnBytes.take(1));
  await turn();
  assert.deepEqual(order, [0, 1]);
  await Promise.all(waits);
  assert.deepEqual(order, [0, 1, 2, 3]);
});

test('a sender waits for one step of each other one, however many those have in line', async () => {
  const turnBytes = new TurnBytes(KIB);
  assert.ok(turnBytes.take(KIB));
  const order: string[] = [];
  const wait = (sender: string, step: number): Promise<number> =>
    turnBytes.wait(KIB, sender).then(() => order.push(`${sender}${step}`));
  const crowd = Array.from({ length: 100 }, (_, step) => wait('a', step));
  const others = [wait('b', 0), wait('c', 0), wait('b', 1)];
  await Promise.all(others);
  assert.deepEqual(order, ['a0', 'b0', 'c0', 'a1', 'b1']);
  await Promise.all(crowd);
  assert.deepEqual(
    order.filter((who) => who.startsWith('a')),
    Array.from({ length: 100 }, (_, step) => `a${step}`),
  );
});

test('whoever is gone is let go at once, costs the others nothing, and leaves nothing behind', async () => {
  const turnBytes = new TurnBytes(KIB);
  assert.ok(turnBytes.take(KIB));
  const gone = new AbortController();
  const leavers = Array.from({ length: 1000 }, () => turnBytes.wait(KIB, 'a', gone.signal));
  let isGoodDone = false;
  const good = turnBytes.wait(KIB, 'a').then(() => (isGoodDone = true));
  gone.abort();
  await Promise.all(leavers);
  assert.ok(!isGoodDone, 'they are gone before any turn');
  await turn();
  await good;
  await turn();
  assert.ok(turnBytes.take(KIB), 'nobody is in line any more');
  await turnBytes.wait(KIB, 'a', gone.signal);
});

test('what a step cost beyond what was asked for counts too', async () => {
  const turnBytes = new TurnBytes(KIB, 0);
  assert.ok(turnBytes.take(1));
  turnBytes.add(KIB);
  assert.ok(!turnBytes.take(1));
  await turn();
  assert.ok(turnBytes.take(1));
});
