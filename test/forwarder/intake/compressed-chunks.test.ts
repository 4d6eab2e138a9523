// Chunks that their sender compressed: they pass as they are where they fit, and their entries are freed.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mock, test } from 'node:test';
import { SluiceError } from '#shared/errors.ts';
import { readDeadLetter, recordOfDeadLetter } from '#shared/queue/dead-letter.ts';
import { headedDeadLetter } from '#shared/queue/headers.ts';
import { compress } from '#shared/record/compression.ts';
import { decodeBatches } from '#shared/record/record.ts';
import { chunkOf, entriesOf, held, setUp } from './intake-fixture.ts';

test('a chunk that its sender compressed passes as it is', async () => {
  const { queue, intake } = setUp();
  const entries = entriesOf(['a', 'b']);
  const bytes = await compress(entries);
  const freeEntries = mock.fn(() => void entries.fill(0));
  await intake.accept(chunkOf(['a', 'b'], { encoding: 'zstd', bytes, entries, freeEntries }));
  assert.deepEqual(queue.appends[0]?.records[0]?.value, bytes);
  assert.equal(queue.appends[0]?.records[0]?.encoding, 'zstd');
  assert.equal(freeEntries.mock.callCount(), 1);
});

test('what is freed of a compressed chunk is in hand no more, and all of it only once', async () => {
  const { queue, intake, metrics } = setUp({ bytesMax: 10_000 });
  const texts = ['a'.repeat(4000), 'b'.repeat(4000)];
  const entries = entriesOf(texts);
  const bytes = await compress(entries);
  const compressed = { encoding: 'zstd', bytes, entries } as const;
  const accepted = intake.accept(chunkOf(texts, { ...compressed, freeEntries: () => void entries.fill(0) }));
  assert(intake.hasRoom);
  // One that keeps its entries still holds them.
  const other = intake.accept(chunkOf(texts, compressed));
  assert(!intake.hasRoom);
  await Promise.all([accepted, other]);
  assert(intake.hasRoom);
  assert.match((await metrics.render()).body, /^sluice_intake_bytes 0$/m);
  assert.equal(queue.appends.flatMap(({ records }) => records).length, 2);
});

test('a compressed chunk has the name of its entries, which are freed, and so has its repeat', async () => {
  const { queue, intake } = setUp();
  const chunkId = Buffer.from('the same');
  for (let i = 0; i < 2; i++) {
    const entries = entriesOf(['a', 'b']);
    const bytes = await compress(entries);
    const freeEntries = (): void => void entries.fill(0);
    await intake.accept(chunkOf(['a', 'b'], { encoding: 'zstd', bytes, entries, chunkId, freeEntries }));
  }
  await intake.accept(chunkOf(['a', 'b'], { chunkId }));
  const ids = queue.appends.flatMap(({ records }) =>
    records.map(({ batches }) => Buffer.from(decodeBatches(batches)?.[0]?.id ?? []).toString('hex')),
  );
  assert.equal(ids.length, 3);
  assert.equal(new Set(ids).size, 1);
});

test('a compressed chunk that is larger than the queue takes goes on split', async () => {
  const { queue, intake } = setUp({ sealBytes: 5000 });
  queue.appendBytesMax = 6000;
  const texts = Array.from({ length: 30 }, () => crypto.getRandomValues(Buffer.alloc(300)).toString('base64'));
  const entries = entriesOf(texts);
  // What goes on is the entries themselves.
  const freeEntries = (): never => assert.fail('they are looked at');
  await intake.accept(chunkOf(texts, { encoding: 'gzip', bytes: Buffer.alloc(9000), entries, freeEntries }));
  const all = await held(queue);
  assert.deepEqual(Buffer.concat(all.map((segment) => segment.entries)), entries);
});

test('a compressed chunk of one event that the queue refuses is a dead letter, which can be replayed', async () => {
  const { queue, intake } = setUp();
  queue.beforeHold = async () => {
    queue.appendBytesMax = 100_000;
    throw new SluiceError('queue_refused', 'MESSAGE_TOO_LARGE');
  };
  const text = randomBytes(150_000).toString('base64');
  const entries = entriesOf([text]);
  const bytes = await compress(entries);
  await intake.accept(chunkOf([text], { encoding: 'zstd', bytes, entries }));
  const [letter] = queue.letters;
  assert(letter);
  assert(entries.equals(letter.value));
  const read = readDeadLetter({ partition: 0, offset: 0, timestampMs: 0, ...headedDeadLetter(letter) });
  assert(read.kind === 'dead-letter' && typeof recordOfDeadLetter(read) === 'object');
});
