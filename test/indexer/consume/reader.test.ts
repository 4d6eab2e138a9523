// The queue's callbacks, at the moments that a fake group does not come to by itself: what is fetched under an old
// assignment, and pausing and resuming by the bytes in hand.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agesOf } from '#indexer/consume/partition-ages.ts';
import { PartitionReader } from '#indexer/consume/reader.ts';
import { Assignment, RecordInHand } from '#indexer/commit/in-hand.ts';
import { ByteBudget } from '#shared/byte-budget.ts';
import { buildCore } from '#indexer/pipeline/build-pipeline.ts';
import type { RecordOpener } from '#indexer/poison/opener.ts';
import type { ConsumerHandler, FetchedRecords, Queue } from '#shared/queue/queue.ts';
import { World } from '../world.ts';

async function arrange(commitDelayMs = 0) {
  const world = new World({ partitions: 2, env: { SLUICE_INDEXER_INFLIGHT_MAX_BYTES: '1048576' } });
  // Whatever is suspect opens well.
  const opener: RecordOpener = {
    unhealthyReason: null,
    open: async () => ({ kind: 'well' }),
    [Symbol.asyncDispose]: async () => undefined,
  };
  const core = buildCore({ ...world.options, opener }, () => []);
  const calls: string[] = [];
  const queue: Pick<Queue, 'consume'> = {
    consume: async () => ({
      pause: (partitions) => void calls.push(`pause ${partitions.join()}`),
      resume: (partitions) => void calls.push(`resume ${partitions.join()}`),
      commit: async (assignment, offsets) => void calls.push(`commit ${assignment} ${JSON.stringify([...offsets])}`),
      [Symbol.asyncDispose]: async () => void calls.push('leave'),
    }),
  };
  const { clock, random } = world;
  const reader = new PartitionReader({
    ...core,
    ...core.commitDelay,
    commitDelayMs,
    telemetry: core.telemetry.reading,
    queue,
    clock,
    random,
    group: 'g',
    fetchBytesMax: 1,
    toEnds: false,
  });
  const handler: ConsumerHandler = reader;
  reader.start();
  await clock.settle();
  const assign = (number: number, partitions: number[]): void =>
    handler.assigned(
      partitions.map((partition) => ({ partition, next: 0, end: 100 })),
      number,
    );
  /** The records of a partition that were appended, as fetched under an assignment. */
  const fetched = (assignment: number, partition: number): FetchedRecords => {
    const records = world.queue.log(partition);
    return { partition, assignment, records, next: records.length, endOffset: records.length };
  };
  const end = async (): Promise<void> => {
    reader.halt();
    await clock.until(core.pipeline.stop(1000));
    await clock.until(reader.leave());
    assert.equal(core.ledger.imbalance, 0);
  };
  return { world, core, calls, reader, handler, assign, fetched, end };
}

const isCommit = (call: string): boolean => call.startsWith('commit');

test('what is fetched under an assignment that is over is dropped', async () => {
  const { world, core, calls, handler, assign, fetched, end } = await arrange();
  await world.send(0, [5]);
  await world.send(1, [5]);
  assign(1, [0, 1]);
  assign(2, [0, 1]);
  handler.fetched(fetched(1, 0));
  await world.clock.advance(2000);
  assert.equal(core.ledger.counts.consumed, 0);
  handler.fetched(fetched(2, 1));
  handler.revoked(1); // over long ago
  await world.clock.advance(2000);
  assert.equal(core.ledger.counts.indexed, 5);
  assert.deepEqual(calls, ['commit 2 [[1,1]]']);
  handler.revoked(2);
  handler.fetched(fetched(2, 0));
  await end();
  assert.equal(core.ledger.counts.consumed, 5);
});

test('what was fetched before the loss is abandoned, and not committed', async () => {
  const { world, core, calls, handler, assign, fetched, end } = await arrange();
  await world.send(0, [5]);
  world.store.hooks = { latencyMs: () => 3000 };
  assign(1, [0]);
  handler.fetched(fetched(1, 0));
  await world.clock.advance(1000);
  assert.equal(core.ledger.inFlight, 5);
  handler.revoked(1);
  await world.clock.advance(10_000);
  assert.equal(core.ledger.counts.abandoned, 5);
  assert.deepEqual(calls, []);
  await end();
});

test('reading pauses while the bytes in hand are at their limit', async () => {
  const { world, calls, handler, assign, fetched, end } = await arrange();
  for (let i = 0; i < 40; i++) await world.send(0, [50], 'identity', 'x'.repeat(1000));
  world.store.hooks = { latencyMs: () => 500 };
  assign(1, [0, 1]);
  handler.fetched(fetched(1, 0));
  assert.deepEqual(calls, ['pause 0,1']);
  await world.clock.advance(30_000);
  assert.equal(calls.filter((call) => call === 'resume 0,1').length, 1);
  await end();
});

test('a record that comes again under the same assignment is taken once', async () => {
  const { world, core, handler, assign, fetched, end } = await arrange();
  await world.send(0, [5]);
  assign(1, [0]);
  handler.fetched(fetched(1, 0));
  handler.fetched(fetched(1, 0));
  await world.clock.advance(2000);
  assert.equal(core.ledger.counts.consumed, 5);
  await end();
});

test('offsets that have no record are passed, after the records before them', async () => {
  const { world, calls, assign, fetched, handler, end } = await arrange();
  world.store.hooks = { latencyMs: () => 3000 };
  await world.send(0, [5]);
  assign(1, [0]);
  handler.fetched({ ...fetched(1, 0), next: 3 });
  handler.fetched({ partition: 0, assignment: 1, records: [], next: 5, endOffset: 5 });
  await world.clock.advance(2000);
  assert.deepEqual(calls.filter(isCommit), []);
  await world.clock.advance(4000);
  assert.deepEqual(calls.filter(isCommit), ['commit 1 [[0,5]]']);
  await end();
});

test('what lay in a partition when it was assigned is committed after the second look only', async () => {
  const { world, calls, reader, assign, fetched, handler, end } = await arrange(10_000);
  await world.send(0, [5]);
  await world.send(1, [5]);
  handler.assigned(
    [
      { partition: 0, next: 0, end: 1 },
      { partition: 1, next: 0, end: 0 },
    ],
    1,
  );
  for (const partition of [0, 1]) handler.fetched(fetched(1, partition));
  await world.clock.advance(9000);
  const commits = (): string[] => calls.filter(isCommit);
  assert.deepEqual(commits(), ['commit 1 [[1,1]]'], 'what nobody else can have is committed at once');
  await world.clock.advance(2000);
  assert.deepEqual(commits(), ['commit 1 [[1,1]]', 'commit 1 [[0,1]]']);
  assign(2, [0]);
  handler.fetched(fetched(2, 0));
  await world.clock.advance(5000);
  assert.equal(await reader.commit(), false);
  await end();
  assert.equal(commits().length, 2);
});

test('a group that is assigned anew all the time commits nevertheless, at each sixth assignment', async () => {
  const { world, calls, assign, fetched, handler, end } = await arrange(10_000);
  await world.send(0, [5]);
  for (let number = 1; number <= 13; number++) {
    assign(number, [0]);
    handler.fetched(fetched(number, 0));
    await world.clock.advance(5000);
  }
  assert.deepEqual(calls.filter(isCommit), ['commit 6 [[0,1]]', 'commit 12 [[0,1]]']);
  await end();
});

test('assignments are counted on where retention overtakes the group, and anew once one of them lasted', async () => {
  const { world, calls, fetched, handler, end } = await arrange(10_000);
  await world.send(0, [5]);
  let number = 0;
  const assign = async (tries: number | null, ms: number): Promise<void> => {
    handler.assigned([{ partition: 0, next: 0, end: 1, ...(tries !== null && { tries }) }], ++number);
    handler.fetched(fetched(number, 0));
    await world.clock.advance(ms);
  };
  for (const tries of [null, 1, 2, 3, 4, 5]) await assign(tries, 5000);
  assert.deepEqual(calls.filter(isCommit), []);
  await assign(null, 5000);
  assert.deepEqual(calls.filter(isCommit), ['commit 7 [[0,1]]']);
  for (let i = 0; i < 4; i++) await assign(null, 5000);
  await assign(null, 12_000);
  for (let i = 0; i < 5; i++) await assign(null, 5000);
  assert.deepEqual(calls.filter(isCommit).slice(1), ['commit 12 [[0,1]]']);
  await end();
});

test('a partition that moves all the time is committed at the sixth try', async () => {
  for (const [tries, expected] of [
    [5, 0],
    [6, 1],
  ] as const) {
    const { world, calls, fetched, handler, end } = await arrange(10_000);
    await world.send(0, [5]);
    handler.assigned([{ partition: 0, next: 0, end: 1, tries }], 1);
    handler.fetched(fetched(1, 0));
    await world.clock.advance(5000);
    assert.equal(calls.filter(isCommit).length, expected, `try ${tries}`);
    await end();
  }
});

test('a record of a clock that was ahead is late from when it was fetched', () => {
  const nowMs = Date.UTC(2026, 5, 1);
  const assignment = new Assignment(1, [{ partition: 0, next: 0 }]);
  assignment.hear(0, 2, nowMs);
  for (const [offset, timestampMs] of [
    [0, nowMs + 365 * 86_400_000],
    [1, nowMs - 1000],
  ] as const) {
    const fetched = { partition: 0, offset, timestampMs, headers: {}, value: new Uint8Array(0) };
    const record = new RecordInHand(assignment, fetched, new ByteBudget(1000).take(10));
    const [age] = agesOf(assignment, nowMs + 90_000);
    assert.equal(age?.oldestUncommittedSeconds, offset === 0 ? 90 : 91);
    record.finish();
  }
});
