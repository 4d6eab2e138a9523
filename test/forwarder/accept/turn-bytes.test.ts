// What one turn of the event loop may have, by bytes and by what each step costs beside them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TurnBytes } from '#forwarder/accept/turn-bytes.ts';

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
