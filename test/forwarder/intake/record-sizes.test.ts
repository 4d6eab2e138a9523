// Chunks that are larger than a record is meant to be, or than the queue takes.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { SluiceError } from '#shared/errors.ts';
import { recordBytes } from '#shared/queue/headers.ts';
import { chunkOf, entriesOf, held, ledger, setUp } from './intake-fixture.ts';

test('an event larger than a record is meant to be is a record of its own, alone or among others', async () => {
  const { queue, intake } = setUp({ sealBytes: 1000 });
  const large = 'x'.repeat(5000);
  await Promise.all([intake.accept(chunkOf([large])), intake.accept(chunkOf(['a', large, large, 'b']))]);
  const counts = (await held(queue)).map(({ batch, entries }) => [batch.count, entries.length > 5000]);
  assert.deepEqual(
    counts.filter(([, isLarge]) => isLarge),
    [
      [1, true],
      [1, true],
      [1, true],
    ],
  );
});

test('a large chunk is split at entries; its segments count on', async () => {
  const { queue, intake } = setUp({ sealBytes: 2000 });
  const texts = Array.from({ length: 100 }, (_, i) => `${i} `.padEnd(100, 'x'));
  await intake.accept(chunkOf(texts));
  const all = await held(queue);
  assert(all.length >= 5);
  let next = 0;
  for (const { batch } of all) {
    assert.equal(batch.first, next);
    assert.deepEqual(batch.id, all[0]?.batch.id);
    assert.equal(batch.seq, all[0]?.batch.seq);
    next += batch.count;
  }
  assert.equal(next, 100);
  assert.deepEqual(Buffer.concat(all.map(({ entries }) => entries)), entriesOf(texts));
});

test('incompressible records larger than the queue takes are halved until they fit', async () => {
  const { queue, intake } = setUp({ sealBytes: 100_000 });
  queue.appendBytesMax = 3000;
  const texts = Array.from({ length: 40 }, () => crypto.getRandomValues(Buffer.alloc(600)).toString('base64'));
  await intake.accept(chunkOf(texts));
  for (const { records } of queue.appends) {
    assert(records.reduce((sum, record) => sum + record.value.length, 0) <= 3000);
  }
  const all = await held(queue);
  assert.deepEqual(Buffer.concat(all.map((segment) => segment.entries)), entriesOf(texts));
});

test('one event that is larger than the queue takes is dead-lettered, and its neighbours are held', async () => {
  const { queue, intake, metrics } = setUp();
  queue.appendBytesMax = 3000;
  const large = crypto.getRandomValues(Buffer.alloc(6000)).toString('base64');
  await Promise.all([
    intake.accept(chunkOf(['before'])),
    intake.accept(chunkOf(['a', large, 'b'])),
    intake.accept(chunkOf(['behind'])),
  ]);
  const all = await held(queue);
  assert.deepEqual(
    all.map(({ batch }) => [batch.first, batch.count]),
    [
      [0, 1],
      [0, 1],
      [2, 1],
      [0, 1],
    ],
  );
  assert.equal(queue.letters.length, 1);
  assert.equal(queue.letters[0]?.index, 1);
  assert.equal(queue.letters[0]?.reason, 'entry_too_large');
  const told = await ledger(metrics);
  assert.equal(told['sluice_events_produced_total'], 4);
  assert.equal(told['sluice_events_rejected_total{input="forward",reason="entry_too_large"}'], 1);
  assert.equal(told['sluice_ledger_imbalance{stage="edge"}'], 0);
});

test('a queue that takes less than before gets the same in smaller appends, unknown to the sender', async () => {
  const { queue, intake } = setUp();
  let refusals = 0;
  queue.beforeHold = ({ records }) => {
    const bytes = records.reduce((sum, record) => sum + recordBytes(record), 0);
    if (bytes <= 3000) return Promise.resolve();
    refusals++;
    queue.appendBytesMax = 3000;
    return Promise.reject(new SluiceError('queue_refused', 'MESSAGE_TOO_LARGE'));
  };
  // Text that does not shrink, in the order of its numbers.
  const texts = Array.from({ length: 40 }, (_, i) => `${i} ${randomBytes(300).toString('base64')}`);
  await intake.accept(chunkOf(texts));
  assert.equal(refusals, 1);
  const found: number[] = [];
  for (const { batch } of await held(queue)) for (let i = 0; i < batch.count; i++) found.push(batch.first + i);
  assert.deepEqual(
    found,
    texts.map((_, i) => i),
  );
  assert.deepEqual(queue.letters, []);
});

test('what the queue refuses below its limit is halved; an event that is refused alone is a dead letter', async () => {
  const { queue, intake } = setUp({ sealBytes: 4000 });
  queue.beforeHold = async ({ records }) => {
    const bytes = records.reduce((sum, record) => sum + recordBytes(record), 0);
    if (bytes > 3000) throw new SluiceError('queue_refused', 'MESSAGE_TOO_LARGE');
  };
  const texts = Array.from({ length: 40 }, (_, i) => `${i} ${randomBytes(i === 21 ? 4000 : 300).toString('base64')}`);
  await Promise.all([intake.accept(chunkOf(texts)), intake.accept(chunkOf(['small']))]);
  const found: number[] = [];
  for (const { batch } of await held(queue)) for (let i = 0; i < batch.count; i++) found.push(batch.first + i);
  assert.deepEqual(
    found.toSorted((a, b) => a - b),
    [0, ...texts.keys().filter((i) => i !== 21)].toSorted((a, b) => a - b),
  );
  assert.deepEqual(
    queue.letters.map(({ index }) => index),
    [21],
  );
});
