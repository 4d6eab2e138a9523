// Another try for dead letters, between a queue and a store in memory: the names stay, what is there is not added
// again, what is done is not done twice.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { RecordOpener } from '#indexer/poison/opener.ts';
import { startIndexer } from '#indexer/shells/main.ts';
import { Replay, type ReplayOptions } from '#indexer/shells/replay.ts';
import type { Decompress } from '#indexer/unpack/unpack.ts';
import { SluiceError } from '#shared/errors.ts';
import { readDeadLetter } from '#shared/queue/dead-letter.ts';
import { headedDeadLetter } from '#shared/queue/headers.ts';
import { decompress } from '#shared/record/compression.ts';
import { documentId } from '#shared/record/identity.ts';
import { encodeBatches } from '#shared/record/record.ts';
import type { BulkOutcome } from '#shared/store/store.ts';
import { World } from '../world.ts';

const REFUSED: BulkOutcome = { status: 400, errorType: 'document_parsing_exception', errorReason: 'conflict' };

/** A world in which events 3, 13, 23, … were refused; the rest is indexed. */
async function withLetters(): Promise<World> {
  const world = new World({ partitions: 2 });
  for (let i = 0; i < 6; i++) await world.send(i % 2, [7, 8], i % 2 === 0 ? 'zstd' : 'identity');
  refuse(world);
  const indexer = await world.start();
  await world.drained();
  await world.clock.until(indexer.stop());
  assert.equal(world.queue.letters.length, 9);
  return world;
}

function refuse(world: World): void {
  world.store.hooks = { item: (_, { message }) => (/event \d*3 /.test(String(message)) ? REFUSED : null) };
}

function mend(world: World): void {
  world.store.hooks = {};
}

async function replay(world: World, more: Partial<ReplayOptions> = {}): Promise<Replay> {
  const { signal } = new AbortController();
  const run = new Replay({ ...world.options, selection: {}, again: false, signal, ...more });
  await world.clock.until(run.run());
  return run;
}

/** What an indexer has that opens no more than so much. */
const opening =
  (bytesMax: number): Decompress =>
  (bytes, encoding) =>
    decompress(bytes, encoding, bytesMax);

const marks = (world: World): number =>
  world.queue.letters.filter(({ reason, from }) => reason === 'replayed' && from === 'replay').length;

test('what is mended is indexed, under the names that it always had', async () => {
  const world = await withLetters();
  const ids = new Set(world.store.documents.keys());
  mend(world);
  const { counts } = await replay(world);
  assert.deepEqual(counts, { indexed: 9, present: 0, failed: 0, impossible: 0 });
  world.check([]);
  assert.equal(world.store.documents.size, ids.size + 9);
  const [deadLetter] = world.queue.letters;
  assert(deadLetter);
  const read = readDeadLetter({ ...headedDeadLetter(deadLetter), partition: 0, offset: 0, timestampMs: 0 });
  assert(read.kind === 'dead-letter' && read.index !== null && read.batches[0]);
  const id = documentId(read.batches[0], read.index);
  const document = world.store.documents.get(id);
  assert.equal(document?.['message'], 'event 3 ');
  assert.deepEqual((document['event'] as { sequence?: number }).sequence, (read.batches[0]?.seq ?? 0) + read.index);
});

test('what was replayed is not replayed again, unless it is asked for; then the store has it', async () => {
  const world = await withLetters();
  mend(world);
  await replay(world);
  assert.equal(marks(world), 1);
  assert.deepEqual((await replay(world)).counts, { indexed: 0, present: 0, failed: 0, impossible: 0 });
  world.store.rollOver();
  const { counts } = await replay(world, { again: true });
  assert.deepEqual(counts, { indexed: 0, present: 9, failed: 0, impossible: 0 });
  assert.equal(world.store.doubled, 0);
  world.check([]);
});

test('what is refused again stays as it is, however often it is tried', async () => {
  const world = await withLetters();
  world.store.hooks = { item: (_, { message }) => (String(message).includes('event 3 ') ? REFUSED : null) };
  const before = world.queue.letters.length;
  const run = await replay(world);
  assert.deepEqual(run.counts, { indexed: 8, present: 0, failed: 1, impossible: 0 });
  assert.deepEqual([...run.refused], [['document_refused: document_parsing_exception: conflict', 1]]);
  for (let i = 0; i < 3; i++) {
    assert.deepEqual((await replay(world)).counts, { indexed: 0, present: 0, failed: 1, impossible: 0 });
  }
  assert.equal(world.queue.letters.length, before + 1, 'one mark, of those that were indexed');
  assert.equal(marks(world), 1);
  mend(world);
  assert.deepEqual((await replay(world)).counts, { indexed: 1, present: 0, failed: 0, impossible: 0 });
  assert.deepEqual((await replay(world)).counts, { indexed: 0, present: 0, failed: 0, impossible: 0 });
  world.check([]);
});

test('the dead letter of a record of which some events are refused again stays until all are in the store', async () => {
  const world = new World({ partitions: 1 });
  await world.send(0, [30], 'zstd', 'x'.repeat(300));
  const indexer = await startIndexer({ ...world.options, decompress: opening(1024) });
  await world.drained();
  await world.clock.until(indexer.stop());
  assert.equal(world.queue.letters.length, 1);
  refuse(world);
  assert.deepEqual((await replay(world)).counts, { indexed: 0, present: 0, failed: 1, impossible: 0 });
  assert.equal(world.queue.letters.length, 1, 'no mark, and no dead letter more');
  mend(world);
  assert.deepEqual((await replay(world)).counts, { indexed: 1, present: 0, failed: 0, impossible: 0 });
  assert.equal(world.store.doubled, 0);
  world.check([]);
});

test('why events are refused again is reported, within bounds', async () => {
  const world = await withLetters();
  let count = 0;
  const errorReason = (): string => `${count++} ${'x'.repeat(3000)}`;
  for (let i = 0; i < 40; i++) {
    const value = world.entry({ log: `event ${world.sent++} ` });
    const batches = encodeBatches([world.batch(1)]);
    world.queue.letters.push({ batches, index: 0, reason: 'r', error: '', from: 'l/0/1', value, cut: false });
  }
  world.store.hooks = { item: () => ({ ...REFUSED, errorReason: errorReason() }) };
  const { counts, refused } = await replay(world);
  assert.equal(counts.failed, 49);
  assert.equal(refused.size, 21);
  assert.equal(
    [...refused.values()].reduce((sum, events) => sum + events, 0),
    49,
  );
  for (const reason of refused.keys()) assert.ok(reason.length <= 200);
});

test('some reasons only: the others stay', async () => {
  const world = await withLetters();
  mend(world);
  const nothing = { indexed: 0, present: 0, failed: 0, impossible: 0 };
  assert.deepEqual((await replay(world, { selection: { reason: 'entry_malformed' } })).counts, nothing);
  assert.equal((await replay(world, { selection: { reason: 'document_refused' } })).counts.indexed, 9);
});

test('a record that could not be read then, and can be now', async () => {
  const world = new World({ partitions: 1 });
  await world.send(0, [300, 200], 'zstd', 'x'.repeat(300));
  const indexer = await startIndexer({ ...world.options, decompress: opening(65_536) });
  await world.drained();
  await world.clock.until(indexer.stop());
  assert.equal(world.queue.letters[0]?.reason, 'record_malformed');
  assert.equal(indexer.ledger.counts.dead_lettered, 500);
  const { counts } = await replay(world);
  assert.deepEqual(counts, { indexed: 1, present: 0, failed: 0, impossible: 0 });
  world.check([]);
});

test('poisonous records, more than may wait to be tried out at once', async () => {
  const world = new World({ partitions: 1, env: { SLUICE_INDEXER_INFLIGHT_MAX_BYTES: '1048576' } });
  const about = { reason: 'record_poisonous', error: '', from: 'sluice.logs/0/1', cut: false };
  for (let i = 0; i < 30; i++) {
    const value = world.entry({ log: `event ${world.sent++} ${'x'.repeat(100_000)}` });
    const of = { encoding: Buffer.from('identity'), recordVersion: Buffer.from('2') };
    world.queue.letters.push({ ...about, ...of, batches: encodeBatches([world.batch(1)]), value });
  }
  let tried = 0;
  const opener: RecordOpener = {
    unhealthyReason: null,
    open: async (_, signal) => {
      await world.clock.sleep(1000, signal);
      tried++;
      return { kind: 'well' };
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
  const { counts } = await replay(world, { opener });
  assert.deepEqual([counts.indexed, tried], [30, 30]);
  world.check([]);
});

test('what holds nothing that could be indexed stays, and is reported', async () => {
  const world = new World({ partitions: 1 });
  const batches = encodeBatches([world.batch(1)]);
  const entry = world.entry({ log: 'event 0 ' });
  const deadLetter = { batches, reason: 'r', error: '', from: 'edge', value: entry, cut: false };
  world.queue.letters.push(
    deadLetter,
    { ...deadLetter, index: 0, cut: true },
    { ...deadLetter, index: 0, batches: new Uint8Array() },
    { ...deadLetter, encoding: Buffer.from('zstd'), recordVersion: Buffer.from('3') },
    { ...deadLetter, encoding: Buffer.from('lz4'), recordVersion: Buffer.from('1') },
    { ...deadLetter, encoding: Buffer.from('zstd'), recordVersion: Buffer.from('1'), batches: Buffer.from('none') },
  );
  const run = await replay(world);
  assert.deepEqual(run.counts, { indexed: 0, present: 0, failed: 0, impossible: 6 });
  assert.equal(run.impossible.size, 6);
  assert.equal(marks(world), 0);
});

test('the parts of a line that was refused are joined again', async () => {
  const world = new World({ partitions: 1 });
  const parts = ['one ', 'two ', 'three'].map((log, i) =>
    world.entry({
      log,
      container_id: 'c0ffee',
      partial_message: 'true',
      partial_id: 'a',
      partial_ordinal: String(i + 1),
      partial_last: String(i === 2),
    }),
  );
  await world.sendEntries(0, [world.batch(1), world.batch(2)], parts);
  world.store.hooks = { item: () => REFUSED };
  const indexer = await world.start();
  await world.drained();
  await world.clock.until(indexer.stop());
  assert.equal(world.queue.letters.length, 3);
  mend(world);
  assert.deepEqual((await replay(world)).counts, { indexed: 3, present: 0, failed: 0, impossible: 0 });
  assert.deepEqual(
    [...world.store.documents.values()].map((document) => document['message']),
    ['one two three'],
  );
});

test('stopped in the middle: what is done is marked, the rest comes with the next replay', async () => {
  const world = await withLetters();
  mend(world);
  const stop = new AbortController();
  world.store.down = new SluiceError('store_unavailable', 'Cannot write: away');
  const run = new Replay({ ...world.options, selection: {}, again: false, signal: stop.signal });
  const ended = assert.rejects(run.run(), { code: 'shutting_down' });
  await world.clock.advance(3000);
  assert.match(run.unhealthyReason ?? '', /away/);
  stop.abort();
  await world.clock.until(ended);
  assert.equal(marks(world), 0);
  world.store.down = null;
  assert.equal((await replay(world)).counts.indexed, 9);
  world.check([]);
});

test('many dead letters: no more in hand than agreed, and marks of all', async () => {
  const world = new World({ partitions: 1 });
  world.store.hooks = { latencyMs: () => 20 };
  for (let i = 0; i < 6000; i++) {
    const value = world.entry({ log: `event ${world.sent++} ` });
    const batches = encodeBatches([world.batch(1)]);
    world.queue.letters.push({ batches, index: 0, reason: 'r', error: '', from: 'l/0/1', value, cut: false });
  }
  assert.equal((await replay(world)).counts.indexed, 6000);
  world.check([]);
  assert(marks(world) > 1);
  assert.equal((await replay(world)).counts.indexed, 0);
});

test('a record that was too large is kept whole, in parts, and replayed when the limit is mended', async () => {
  const world = new World({ partitions: 1 });
  const entries = Array.from({ length: 12 }, () =>
    world.entry({ log: `event ${world.sent++} ${randomBytes(100_000).toString('hex')}` }),
  );
  await world.sendEntries(0, [world.batch(entries.length)], entries, 'zstd');
  const [record] = world.queue.log(0);
  assert(
    record && record.value.length > world.queue.appendBytesMax,
    'a topic of dead letters may take less than that of logs',
  );
  const indexer = await startIndexer({ ...world.options, decompress: opening(1024 * 1024) });
  await world.drained();
  await world.clock.until(indexer.stop());
  const [deadLetter] = world.queue.letters;
  assert.equal(deadLetter?.reason, 'record_malformed');
  assert(Buffer.from(deadLetter.value).equals(record.value));
  const mended = new World({ partitions: 1, env: { SLUICE_JOIN_MAX_BYTES: '64MiB' } });
  const { counts } = await replay(world, { config: mended.config });
  assert.deepEqual(counts, { indexed: 1, present: 0, failed: 0, impossible: 0 });
  world.check([]);
  assert.deepEqual((await replay(world, { config: mended.config })).counts.indexed, 0, 'the mark is of the whole');
});

test('an event that is larger than a record is kept whole', async () => {
  const world = new World({ partitions: 1 });
  const text = randomBytes(800_000).toString('hex');
  await world.sendEntries(0, [world.batch(1)], [world.entry({ log: `event ${world.sent++} ${text}` })], 'zstd');
  world.store.hooks = { item: () => REFUSED };
  const indexer = await world.start();
  await world.drained();
  await world.clock.until(indexer.stop());
  assert.equal(world.queue.letters[0]?.cut, false);
  mend(world);
  assert.deepEqual((await replay(world)).counts, { indexed: 1, present: 0, failed: 0, impossible: 0 });
  const [document] = world.store.documents.values();
  assert.equal(document?.['message'], `event 0 ${text}`);
});
