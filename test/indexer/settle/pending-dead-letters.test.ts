// Dead letters of the indexer that wait for the queue: what they count in the budget that stops reading.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PendingDeadLetters } from '#indexer/settle/pending-dead-letters.ts';
import { Assignment, RecordInHand } from '#indexer/commit/in-hand.ts';
import { Ledger } from '#indexer/settle/ledger.ts';
import { ByteBudget } from '#shared/byte-budget.ts';
import { World } from '../world.ts';

test('dead letters that wait count what they cost, and not the byte of their entry alone', async () => {
  const ledger = new Ledger({ consumed: () => undefined, ended: () => undefined });
  const budget = new ByteBudget(1024 * 1024);
  const pendingDeadLetters = new PendingDeadLetters({ ledger, budget });
  const assignment = new Assignment(1, [{ partition: 0, next: 0 }]);
  const fetched = { partition: 0, offset: 0, timestampMs: 0, headers: {}, value: new Uint8Array(0) };
  const record = new RecordInHand(assignment, fetched, budget.take(0));
  const deadLetters = 500;
  ledger.trackInFlight(() => pendingDeadLetters.events);
  ledger.open(record, deadLetters);
  const held = Promise.withResolvers<void>();
  const ref = { record, batch: new World().batch(deadLetters), entry: 0, index: 0 };
  for (let i = 0; i < deadLetters; i++) pendingDeadLetters.add(ref, 1, 'document_too_large', held.promise);
  assert.equal(budget.bytesHeld, deadLetters * 4097);
  assert.equal(budget.hasRoom, false);
  assert.equal(ledger.imbalance, 0);
  let hasRoom = false;
  const room = pendingDeadLetters.room().then(() => (hasRoom = true));
  await new Promise(setImmediate);
  assert.equal(hasRoom, false);
  held.resolve();
  await room;
  await pendingDeadLetters.idle();
  assert.equal(budget.bytesHeld, 0);
  assert.equal(ledger.counts.dead_lettered, deadLetters);
  assert.equal(ledger.imbalance, 0);
});
