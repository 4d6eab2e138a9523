import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mock, test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { systemClock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import { Metrics } from '#shared/metrics.ts';
import { readDeadLetter, recordOfDeadLetter } from '#shared/queue/dead-letter.ts';
import { headedDeadLetter, recordBytes } from '#shared/queue/headers.ts';
import { countEntries } from '#shared/msgpack/extents.ts';
import { headedRecord } from '#shared/queue/headers.ts';
import { chainAfterRun, chainStart } from '#shared/record/chain.ts';
import { compress, decompress } from '#shared/record/compression.ts';
import { type Batch, decodeBatches } from '#shared/record/record.ts';
import type { Chunk } from '#forwarder/intake/chunk.ts';
import { QueueIntake } from '#forwarder/intake/intake.ts';
import { ForwarderTelemetry } from '#forwarder/intake/telemetry.ts';
import { RecordingQueue } from './recording-queue.ts';

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

function setUp(options: { bytesMax?: number; sealBytes?: number } = {}) {
  const queue = new RecordingQueue();
  const metrics = new Metrics({ version: '0', command: 'test' });
  const intake = new QueueIntake({
    queue,
    clock: systemClock,
    telemetry: new ForwarderTelemetry(metrics, SILENT),
    bytesMax: options.bytesMax ?? 1_000_000,
    lingerMs: 1,
    sealBytes: options.sealBytes ?? 100_000,
    openWaitMs: 1000,
  });
  return { queue, intake, metrics };
}

function entriesOf(texts: readonly string[]): Buffer {
  return Buffer.concat(texts.map((log, i) => encode([1_700_000_000 + i, { log }])));
}

function chainOf(chain: Uint8Array, run: Uint8Array): Uint8Array {
  const steps = chainAfterRun(chain, run);
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  return step.value;
}

function chunkOf(texts: readonly string[], changes: Partial<Chunk> = {}): Chunk {
  const entries = entriesOf(texts);
  return {
    tag: 'app',
    input: 'forward',
    tenant: null,
    sender: '10.0.0.1',
    chunkId: null,
    encoding: 'identity',
    bytes: entries,
    entries,
    count: texts.length,
    ...changes,
  };
}

async function held(
  queue: RecordingQueue,
): Promise<{ batch: Batch; partition: number; entries: Buffer; encoding: string }[]> {
  const all = [];
  for (const { partition, records } of queue.appends) {
    for (const record of records) {
      const value = await decompress(record.value, record.encoding, 100_000_000);
      const batches = decodeBatches(record.batches);
      assert(batches, 'the table of batches can be read');
      assert.equal(
        batches.reduce((sum, batch) => sum + batch.count, 0),
        countEntries(value, 0, value.length),
        'the counts of the batches sum up to the entries of the value',
      );
      for (const batch of batches) all.push({ batch, partition, entries: value, encoding: record.encoding });
    }
  }
  return all;
}

async function ledger(metrics: Metrics): Promise<Record<string, number>> {
  const lines = (await metrics.render()).body.split('\n').filter((line) => /^sluice_(events|ledger)/.test(line));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

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

test('chunks that waited for the queue to be reached go on before those that come at that moment', async () => {
  const { queue, intake } = setUp();
  const reached = Promise.withResolvers<void>();
  queue.partitions = 0;
  queue.opening = reached.promise;
  const early = [intake.accept(chunkOf(['one'])), intake.accept(chunkOf(['two']))];
  queue.partitions = 4;
  reached.resolve();
  // None of those who wait has gone on yet; nor has any at each of the next turns of the promises, until all have.
  const late: Promise<void>[] = [];
  for (let i = 0; i < 10; i++) {
    late.push(intake.accept(chunkOf([`late ${i}`])));
    await Promise.resolve();
  }
  await Promise.all([...early, ...late]);
  const batches = await held(queue);
  const texts = batches.map(({ entries }) => entries.toString('latin1')).join();
  const order = new Set(Array.from(texts.matchAll(/one|two|late \d/g), ([text]) => text));
  assert.deepEqual([...order], ['one', 'two', ...late.map((_, i) => `late ${i}`)]);
  const seqs = batches.map(({ batch }) => batch.seq);
  assert.deepEqual(
    seqs,
    seqs.toSorted((a, b) => a - b),
  );
});

test('small chunks of one source share a record, in order', async () => {
  const { queue, intake } = setUp();
  await Promise.all(['a', 'b', 'c'].map((text) => intake.accept(chunkOf([text]))));
  assert.equal(queue.appends.length, 1);
  const all = await held(queue);
  assert.equal(all.length, 3);
  assert.deepEqual(all[0]?.entries, Buffer.concat([entriesOf(['a']), entriesOf(['b']), entriesOf(['c'])]));
  const seqs = all.map(({ batch }) => batch.seq);
  assert.deepEqual(
    seqs,
    seqs.toSorted((x, y) => x - y),
  );
  assert.equal(new Set(seqs).size, 3);
});

test('sources keep to their partitions', async () => {
  const { queue, intake } = setUp();
  const senders = Array.from({ length: 40 }, (_, i) => `10.0.0.${i}`);
  await Promise.all([...senders, ...senders].map((sender) => intake.accept(chunkOf(['x'], { sender }))));
  const bySender = new Map<string, Set<number>>();
  for (const { batch, partition } of await held(queue)) {
    bySender.set(batch.sender, (bySender.get(batch.sender) ?? new Set()).add(partition));
  }
  assert.equal(bySender.size, 40);
  for (const partitions of bySender.values()) assert.equal(partitions.size, 1);
  assert.equal(new Set([...bySender.values()].flatMap((p) => [...p])).size, 4, 'all partitions are used');
});

test('a large chunk is split at entries; its shares count on', async () => {
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
  assert.deepEqual(Buffer.concat(all.map((share) => share.entries)), entries);
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
  assert.deepEqual(Buffer.concat(all.map((share) => share.entries)), entriesOf(texts));
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

test('what the queue refuses is refused, and the next goes on', async () => {
  const { queue, intake, metrics } = setUp();
  queue.beforeHold = () => Promise.reject(new SluiceError('queue_unavailable', 'Cannot append: away'));
  await assert.rejects(intake.accept(chunkOf(['a'])), { code: 'queue_unavailable' });
  queue.beforeHold = () => Promise.resolve();
  await intake.accept(chunkOf(['b']));
  const told = await ledger(metrics);
  assert.equal(told['sluice_events_produced_total'], 1);
  assert.equal(told['sluice_events_rejected_total{input="forward",reason="queue_unavailable"}'], 1);
  assert.equal(told['sluice_ledger_imbalance{stage="edge"}'], 0);
  assert.equal(told['sluice_events_inflight{stage="edge"}'], 0);
});

test('a sender whose events fill its share of the dead letters is refused, and nobody else', async () => {
  const { queue, intake, metrics } = setUp();
  const full = '10.0.0.66';
  queue.deadLetterSpace = {
    bytesStored: 0,
    bytesMax: 1,
    watch: () => undefined,
    isFullOf: ({ sender }) => sender === full,
  };
  await assert.rejects(intake.accept(chunkOf(['a'], { sender: full })), { code: 'dead_letters_full' });
  await intake.accept(chunkOf(['b']));
  assert.equal((await held(queue)).length, 1);
  const told = await ledger(metrics);
  assert.equal(told['sluice_events_rejected_total{input="forward",reason="dead_letters_full"}'], 1);
  assert.equal(told['sluice_ledger_imbalance{stage="edge"}'], 0);
});

test('nothing is answered before it is held, and room is bounded by bytes', async () => {
  const { queue, intake } = setUp({ bytesMax: 1000 });
  const gate = Promise.withResolvers<void>();
  queue.beforeHold = () => gate.promise;
  let answered = false;
  const accepted = intake.accept(chunkOf(['x'.repeat(2000)])).then(() => (answered = true));
  assert.equal(intake.hasRoom, false);
  let room = false;
  const waiting = intake.room().then(() => (room = true));
  await systemClock.sleep(20);
  assert.equal(answered, false);
  assert.equal(room, false);
  gate.resolve();
  await Promise.all([accepted, waiting]);
  assert.equal(intake.hasRoom, true);
});

test('the same chunk id and content give the same identity; other content, tag or sender another', async () => {
  const { queue, intake } = setUp();
  const chunkId = Buffer.from('id');
  for (const changes of [{}, {}, { tag: 'b' }, { sender: 'h' }, { tenant: 't' }]) {
    await intake.accept(chunkOf(['a'], { chunkId, ...changes }));
  }
  await intake.accept(chunkOf(['other'], { chunkId }));
  const ids = (await held(queue)).map(({ batch }) => Buffer.from(batch.id).toString('hex'));
  assert.equal(ids[0], ids[1]);
  assert.equal(new Set(ids).size, 5);
});

test('sequence numbers never go back, whatever the clock does', async () => {
  const queue = new RecordingQueue();
  let nowMs = 1_700_000_000_000;
  const intake = new QueueIntake({
    queue,
    clock: { ...systemClock, epochMs: () => nowMs },
    telemetry: new ForwarderTelemetry(new Metrics({ version: '0', command: 'test' }), SILENT),
    bytesMax: 1e6,
    lingerMs: 0,
    sealBytes: 1e5,
    openWaitMs: 1000,
  });
  for (const jumpMs of [0, -3_600_000, 1, 7_200_000, -7_200_000]) {
    nowMs += jumpMs;
    await intake.accept(chunkOf(['a', 'b']));
  }
  const seqs = (await held(queue)).map(({ batch }) => batch.seq);
  for (let i = 1; i < seqs.length; i++) assert((seqs[i] ?? 0) >= (seqs[i - 1] ?? 0) + 2);
});

test('close settles what was taken and takes no more', async () => {
  const { queue, intake } = setUp();
  const accepted = intake.accept(chunkOf(['a']));
  await intake.close();
  await accepted;
  assert.equal(queue.appends.length, 1);
  await assert.rejects(intake.accept(chunkOf(['b'])), { code: 'shutting_down' });
});

test('what can never be read is dead-lettered with its reason, all of it', async () => {
  const { queue, intake } = setUp();
  const bytes = Buffer.alloc(600_000, 7);
  await intake.deadLetter({
    tag: 't',
    input: 'forward',
    tenant: null,
    sender: 's',
    peerAddress: '10.0.0.9',
    bytes,
    reason: 'chunk_undecodable',
    error: 'no',
  });
  const [letter] = queue.letters;
  assert.equal(letter?.value.length, bytes.length);
  assert.equal(letter?.cut, false);
  assert.equal(letter?.reason, 'chunk_undecodable');
  assert.equal(letter?.peerAddress, '10.0.0.9');
  assert.equal(decodeBatches(letter?.batches ?? Buffer.alloc(0))?.[0]?.tag, 't');
});

test('a repeat of a chunk id has the same name, whatever the clock says; the name begins with the first entry’s time', async () => {
  const { queue, intake } = setUp();
  const chunk = chunkOf(['a', 'b'], { chunkId: Buffer.from('c') });
  await intake.accept(chunk);
  await new Promise((resolve) => setTimeout(resolve, 5));
  await intake.accept(chunk);
  const ids = (await held(queue)).map(({ batch }) => Buffer.from(batch.id));
  assert.deepEqual(ids[0], ids[1]);
  assert.equal(ids[0]?.readUIntBE(0, 6), 1_700_000_000_000);
  for (const { records } of queue.appends) assert.equal(String(headedRecord(records[0]!).headers['v']), '2');
});

test('without a chunk id the name begins with the time of receipt', async () => {
  const { queue, intake } = setUp();
  await intake.accept(chunkOf(['a']));
  await intake.accept(chunkOf(['a']));
  const [one, two] = (await held(queue)).map(({ batch }) => batch);
  assert(one && two);
  assert.equal(Buffer.from(one.id).readUIntBE(0, 6), one.receivedMs);
  assert.notDeepEqual(one.id, two.id);
});

test('the content that is told stands for the entries that were made of it', async () => {
  const { queue, intake } = setUp();
  const chunkId = Buffer.from('key');
  const content = { crc32: 1, length: 2 };
  await intake.accept(chunkOf(['a'], { chunkId, content }));
  await intake.accept(chunkOf(['made otherwise by a later program'], { chunkId, content }));
  await intake.accept(chunkOf(['a'], { chunkId, content: { crc32: 1, length: 3 } }));
  await intake.accept(chunkOf(['a'], { chunkId }));
  const ids = (await held(queue)).map(({ batch }) => Buffer.from(batch.id).toString('hex'));
  assert.equal(ids[0], ids[1]);
  assert.equal(new Set(ids).size, 3);
});

test('entries by position: each record has the chain at its own start', async () => {
  const { queue, intake } = setUp({ sealBytes: 1000 });
  queue.appendBytesMax = 700;
  const texts = Array.from({ length: 60 }, (_, i) => `${i} ${String(i % 7).repeat(90)}`);
  const chain = chainStart('/var/log/a.log', '1');
  await intake.accept(chunkOf(texts, { chain }));
  assert(queue.appends.flatMap(({ records }) => records).length > 5);
  for (const { batch } of await held(queue)) {
    assert.deepEqual(batch.chain, chainOf(chain, entriesOf(texts.slice(0, batch.first))), `at ${batch.first}`);
  }
});

test('a queue that takes less than it did gets the same again in smaller appends, and the sender hears nothing of it', async () => {
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

test('what is refused below the limit that the queue tells is halved; only an event that is refused alone is a dead letter', async () => {
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

test('a compressed chunk of one event that the queue refuses is a dead letter of its entry, which can be replayed', async () => {
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

test('a chunk of events of hardly a byte is refused once, whichever input it comes by', async () => {
  const { intake, queue, metrics } = setUp();
  const entries = Buffer.from('920080'.repeat(100_001), 'hex');
  const chunk = { ...chunkOf(['a']), bytes: entries, entries, count: 100_001 };
  await assert.rejects(intake.accept(chunk), { code: 'too_many_events' });
  assert.equal(queue.appends.length, 0);
  const { body } = await metrics.render();
  assert.match(body, /^sluice_events_rejected_total\{input="forward",reason="too_many_events"\} 100001$/m);
  assert.match(body, /^sluice_ledger_imbalance\S* 0$/m);
});
