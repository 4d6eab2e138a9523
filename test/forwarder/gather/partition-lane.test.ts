// A lane while it splits a segment, and while it answers hundreds of senders: its end waits for that, and the order of
// arrival stays.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lane } from '#forwarder/gather/partition-lane.ts';
import type { RecordSegment } from '#forwarder/gather/record-segment.ts';
import { Settlement } from '#forwarder/gather/settlement.ts';
import { systemClock } from '#shared/clock.ts';
import { decodeBatches } from '#shared/record/record.ts';
import { RECORD_VALUE_BYTES_MAX } from '#shared/record/value-limit.ts';
import { RecordingQueue } from '#test/forwarder/intake/recording-queue.ts';

const MIB = 1024 * 1024;

/** [1, {"": "\0\0…"}] of so many bytes. */
function entryOf(bytes: number): Buffer {
  const entry = Buffer.alloc(bytes);
  Buffer.from('920181a0db', 'hex').copy(entry);
  entry.writeUInt32BE(bytes - 9, 5);
  return entry;
}

function setUp() {
  const queue = new RecordingQueue();
  const deadLettered: string[] = [];
  const deadLetter = ({ batch }: RecordSegment): Promise<void> => {
    deadLettered.push(`${batch.seq}.${batch.first}`);
    return Promise.resolve();
  };
  const lane = new Lane(0, { queue, clock: systemClock, lingerMs: 1, sealBytes: MIB, deadLetter });
  const settled: Promise<void>[] = [];
  const add = (seq: number, sizes: readonly number[]): Settlement => {
    const origin = {
      tag: 't',
      input: 'forward',
      tenant: null,
      receivedMs: 1,
      sender: 's',
      version: 2,
      chain: null,
    } as const;
    const batch = { ...origin, id: Buffer.alloc(16), first: 0, count: sizes.length, seq };
    const settlement = new Settlement().expect();
    settled.push(settlement.promise);
    lane.add({ batch, encoding: 'identity', bytes: Buffer.concat(sizes.map(entryOf)), settlement });
    return settlement;
  };
  const held = (): string[][] =>
    queue.appends.flatMap(({ records }) =>
      records.map(({ batches }) => decodeBatches(batches)?.map(({ seq, first }) => `${seq}.${first}`) ?? []),
    );
  return { queue, lane, add, settled, held, deadLettered };
}

const CROWD = 300;

/** Adds so many small chunks, from `first` on; what each is told goes to `told`, in the order of the telling. */
function addCrowd(add: ReturnType<typeof setUp>['add'], first: number, told: string[]): void {
  for (let i = 0; i < CROWD; i++) {
    void add(first + i, [100]).promise.then(
      () => told.push(`${first + i} held`),
      () => told.push(`${first + i} failed`),
    );
  }
}

function outcomes(first: number, outcome: 'held' | 'failed'): string[] {
  return Array.from({ length: CROWD }, (_, i) => `${first + i} ${outcome}`);
}

test('what is being split when the lane ends is held, in order', async () => {
  const { lane, add, settled, held } = setUp();
  add(1, [100]);
  add(2, [4 * MIB, 100, 4 * MIB]);
  add(3, [100]);
  await lane.drained();
  await Promise.all(settled);
  assert.deepEqual(held().flat(), ['1.0', '2.0', '2.1', '2.2', '3.0']);
});

test('an event that no indexer opens is dead-lettered alone; what is around it is held', async () => {
  const { lane, add, settled, held, deadLettered } = setUp();
  add(1, [100]);
  const of2 = add(2, [100, RECORD_VALUE_BYTES_MAX + 1, RECORD_VALUE_BYTES_MAX]);
  add(3, [RECORD_VALUE_BYTES_MAX + 1]);
  add(4, [100]);
  await lane.drained();
  await Promise.all(settled);
  assert.equal(of2.eventsDeadLettered, 1);
  assert.deepEqual(deadLettered, ['2.1', '3.0']);
  assert.deepEqual(held().flat(), ['1.0', '2.0', '2.2', '4.0']);
});

test('a record of hundreds of chunks tells its senders in steps, in order; the lane ends behind the last', async () => {
  const { lane, add, held } = setUp();
  const told: string[] = [];
  const byTurn: number[] = [];
  let isOver = false;
  const look = (): void => {
    byTurn.push(told.length - byTurn.reduce((sum, count) => sum + count, 0));
    if (!isOver) setImmediate(look);
  };
  addCrowd(add, 1, told);
  setImmediate(look);
  await lane.drained();
  isOver = true;
  look();
  assert.deepEqual(told, outcomes(1, 'held'));
  assert.equal(held().length, 1);
  assert(Math.max(...byTurn) <= CROWD / 2, `${Math.max(...byTurn)} in a turn`);
});

test('senders of a record that fails are told before those of the next, and a stop in between loses none', async () => {
  const { queue, lane, add } = setUp();
  const told: string[] = [];
  const begun = Promise.withResolvers<void>();
  const failing = Promise.withResolvers<void>();
  queue.beforeHold = () => {
    queue.beforeHold = () => Promise.resolve();
    begun.resolve();
    return failing.promise;
  };
  addCrowd(add, 1, told);
  await begun.promise;
  addCrowd(add, 1001, told);
  const first = add(2001, [100]).promise;
  failing.reject(new Error('it went away'));
  while (told.length === 0) await new Promise(setImmediate);
  const toldAtStop = told.length;
  await lane.drained();
  await first;
  assert(toldAtStop < CROWD, `${toldAtStop} were told before the stop`);
  // Whoever is told twice ends the process: a segment is settled once.
  assert.deepEqual(told, [...outcomes(1, 'failed'), ...outcomes(1001, 'held')]);
});

test('a few chunks behind hundreds are told behind them', async () => {
  const { lane, add } = setUp();
  const told: string[] = [];
  addCrowd(add, 1, told);
  while (told.length === 0) await new Promise(setImmediate);
  const last = add(1001, [100]).promise.then(() => told.push('last'));
  await lane.drained();
  await last;
  assert.deepEqual(told, [...outcomes(1, 'held'), 'last']);
});
