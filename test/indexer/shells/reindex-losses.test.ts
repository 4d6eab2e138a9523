// A range of the queue once more, while the queue loses what is to be read, or is away.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '#shared/errors.ts';
import { counted, Rewind } from '../rewind.ts';

test('what retention takes meanwhile is counted, in the middle and to the end of a partition', async () => {
  const rewind = new Rewind(2);
  const { world, source } = rewind;
  for (let i = 0; i < 20; i++) await world.send(i % 2, [1]);
  source.before = ({ partition, offset }) => {
    if (partition === 0 && offset === 3) source.removeBelow(0, 7);
    if (partition === 0 && offset === 9) source.removeBelow(1, 10);
  };
  const done = await rewind.reindex(-1, 30);
  assert.equal(done.reindex.lost, 3 + 10);
  assert.equal(done.reindex.counts.indexed, 4 + 3);
  assert.equal(done.reindex.recordsRead, 20);
});

test('a log that was made anew ends the reading, which would wait for ever', async () => {
  const rewind = new Rewind();
  const { world, source } = rewind;
  for (let i = 0; i < 10; i++) await world.send(0, [2]);
  source.before = ({ offset }) => {
    if (offset === 5) source.hangs = true;
  };
  source.lows = () => Promise.reject(new SluiceError('queue_refused', 'Cannot read logs on: it was made anew'));
  const { reindex, plan } = await rewind.prepared(-1, 30);
  await assert.rejects(world.clock.until(reindex.run()), /it was made anew/);
  assert.equal(reindex.counts.indexed, 10);
  assert.equal(source.saved.get(plan.name)?.get(0)?.next, 5);
});

test('a reading that is ended without a word has not come to the end of other partitions', async () => {
  const rewind = new Rewind(2);
  const { world, source } = rewind;
  for (let i = 0; i < 20; i++) await world.send(i % 2, [1]);
  let isFirst = true;
  source.before = ({ partition, offset }) => {
    if (!isFirst || partition !== 0 || offset !== 4) return;
    isFirst = false;
    source.removeBelow(0, 10);
    source.hangs = true;
  };
  source.isQuiet = true;
  const done = await rewind.reindex(-1, 30);
  assert.deepEqual([done.reindex.lost, done.reindex.counts.indexed], [6, 14]);
});

test('a queue that is away for a while is asked again, and what was read is not read twice', async () => {
  const rewind = new Rewind();
  const { world, source } = rewind;
  for (let i = 0; i < 10; i++) await world.send(0, [2]);
  let failures = 3;
  source.before = ({ offset }) => {
    if (offset === 5 && failures-- > 0) throw new SluiceError('queue_unavailable', 'Cannot read logs: no leader');
  };
  const done = await rewind.reindex(-1, 30);
  assert.deepEqual(counted(done), [20, 0, 0, 0]);
  assert.deepEqual(
    done.warned,
    Array.from({ length: 3 }, () => 'Cannot read logs: no leader; still trying'),
  );
  source.before = () => {
    throw new SluiceError('queue_unauthorized', 'Cannot read logs: not allowed');
  };
  const refused = await rewind.prepared(-1, 30);
  await assert.rejects(world.clock.until(refused.reindex.run()), { code: 'queue_unauthorized' });
});
