// Records of several assignments at once, as readers of several topics have them, wait to be tried out.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Assignment, RecordInHand } from '#indexer/commit/in-hand.ts';
import { SuspectQueue } from '#indexer/pipeline/suspect-queue.ts';
import { ByteBudget } from '#shared/byte-budget.ts';

const TRIES = 1000;

test('who waits for room goes on when what took it is lost with another assignment', async () => {
  const suspectBudget = new ByteBudget(100);
  let unblocked = 0;
  const opener = {
    unhealthyReason: null,
    // No record can be tried for now.
    open: (_: unknown, signal: AbortSignal) =>
      new Promise<never>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
    async [Symbol.asyncDispose](): Promise<void> {},
  };
  const telemetry = { recordPoisonous: () => assert.fail('nothing was tried') };
  const queue = new SuspectQueue(
    { opener, suspectBudget, telemetry },
    { forward: () => assert.fail('nothing was tried'), unblocked: () => unblocked++ },
  );
  const fetchedOf = (partition: number) => ({
    partition,
    offset: 0,
    timestampMs: 0,
    headers: {},
    value: Buffer.alloc(100),
  });
  const [own, others] = [0, 2 ** 20].map((partition) => {
    const assignment = new Assignment(1, [{ partition, next: 0 }]);
    assignment.suspicion.assigned(partition, TRIES);
    return assignment;
  });
  assert(own && others);

  queue.add(new RecordInHand(own, fetchedOf(0), suspectBudget.take(100)));
  assert(!queue.hasRoomFor(fetchedOf(2 ** 20), 100));
  assert(queue.isWaitedFor(2 ** 20));
  own.isRevoked = true;
  queue.lost(own);
  assert.equal(unblocked, 1);
  assert(!queue.isWaitedFor(2 ** 20) && queue.hasRoomFor(fetchedOf(2 ** 20), 100));
  await queue.stop();
});
