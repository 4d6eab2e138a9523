// The budget of the indexer knows what it holds, however small its records are: what a record costs in objects, its
// rows, its opened value.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildCore } from '#indexer/pipeline/build-pipeline.ts';
import { BATCH_OVERHEAD_BYTES, RECORD_OVERHEAD_BYTES } from '#indexer/unpack/bytes-in-hand.ts';
import { Assignment } from '#indexer/commit/in-hand.ts';
import { SluiceError } from '#shared/errors.ts';
import type { FetchedRecord } from '#shared/queue/queue.ts';
import { fetchedRecord, withOwnBytes } from '#shared/queue/kafka/broker/fetched-records.ts';
import { World } from '../world.ts';

const MIB = 1024 * 1024;
const down = new SluiceError('store_unavailable', 'Cannot write: away');

/** What of the queue is in hand of an indexer that was given all of it while its store is away. */
async function heldOf(world: World): Promise<{ bytes: number; end: () => Promise<number> }> {
  world.store.down = down;
  world.store.ping = () => Promise.resolve('');
  const core = buildCore(world.options, () => []);
  core.pipeline.push(new Assignment(1, [{ partition: 0, next: 0 }]), world.queue.log(0));
  await world.clock.advance(5000);
  return {
    bytes: core.budget.bytesHeld,
    end: async () => {
      world.store.down = null;
      await world.clock.until(core.pipeline.finish());
      world.check([]);
      return core.budget.bytesHeld;
    },
  };
}

test('records of one small event cost what their objects do', async () => {
  const world = new World({ partitions: 1 });
  for (let i = 0; i < 500; i++) await world.send(0, [1], 'identity');
  const { bytes, end } = await heldOf(world);
  assert(bytes >= 500 * (RECORD_OVERHEAD_BYTES + BATCH_OVERHEAD_BYTES), `${bytes} bytes`);
  assert.equal(await end(), 0, 'all of it is given back');
});

test('a record of many batches costs their rows', async () => {
  const world = new World({ partitions: 1 });
  const sizes = Array.from({ length: 1000 }, () => 1);
  await world.send(0, sizes, 'zstd');
  const { bytes, end } = await heldOf(world);
  assert(bytes >= 1000 * BATCH_OVERHEAD_BYTES, `${bytes} bytes`);
  assert.equal(await end(), 0);
});

test('an opened value counts as long as its entries have not gone on', async () => {
  const world = new World({ partitions: 1 });
  await world.send(0, [4000], 'zstd', 'x'.repeat(1000));
  const core = buildCore(world.options, () => []);
  let most = 0;
  const request = (): null => {
    most = Math.max(most, core.budget.bytesHeld);
    return null;
  };
  world.store.hooks = { request };
  core.pipeline.push(new Assignment(1, [{ partition: 0, next: 0 }]), world.queue.log(0));
  await world.clock.until(core.pipeline.finish());
  assert(most >= 4_000_000, `${most} bytes`);
  assert.equal(core.budget.bytesHeld, 0);
});

test('tiny records: reading pauses by what they cost', async () => {
  const world = new World({ partitions: 2, env: { SLUICE_INDEXER_INFLIGHT_MAX_BYTES: String(MIB) } });
  for (let i = 0; i < 6000; i++) await world.send(i % 2, [1], 'identity');
  world.queue.hooks = { ...world.queue.hooks, fetchRecordsMax: 50 };
  world.store.down = down;
  world.store.ping = () => Promise.resolve('');
  let fetched = 0;
  const consume = world.queue.consume.bind(world.queue);
  world.queue.consume = (handler, options) => {
    const { fetched: hand } = handler;
    handler.fetched = (batch) => {
      fetched += batch.records.length;
      hand.call(handler, batch);
    };
    return consume(handler, options);
  };
  const indexer = await world.start();
  await world.clock.advance(20_000);
  assert(fetched > 500 && fetched <= 2 * 50 + MIB / RECORD_OVERHEAD_BYTES, `${fetched} records were fetched`);
  world.store.down = null;
  await world.drained();
  await world.clock.until(indexer.stop());
  world.check([indexer]);
});

test('records have bytes of their own, not views on all that came with them, and as many as they need', () => {
  const answer = Buffer.alloc(8 * MIB, 7);
  const lengths = [20, 0, 30_000, 30_000, 30_000, 70_000, 1, 64 * 1024, 17];
  const given = lengths.map((length, i) => {
    const headers = { v: answer.subarray(0, 1), batches: answer.subarray(1, 60) };
    const message = { offset: String(i), timestamp: '9', value: answer.subarray(100, 100 + length), headers };
    return fetchedRecord(3, message as unknown as Parameters<typeof fetchedRecord>[1]);
  });
  const own = withOwnBytes(given);
  const plain = ({ headers, value, ...rest }: FetchedRecord) => ({
    ...rest,
    value: Buffer.from(value).toString('hex'),
    headers: Object.entries(headers).map(([name, bytes]) => [name, Buffer.from(bytes).toString('hex')]),
  });
  assert.deepEqual(own.map(plain), given.map(plain));
  const buffers = new Set(own.flatMap(({ headers, value }) => [value, ...Object.values(headers)]).map((b) => b.buffer));
  let bytes = 0;
  for (const { byteLength } of buffers) {
    assert(byteLength <= 70_000 + 60, `one keeps ${byteLength} bytes`);
    bytes += byteLength;
  }
  assert.equal(
    bytes,
    lengths.reduce((sum, length) => sum + length + 60, 0),
  );
});
