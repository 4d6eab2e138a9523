// What names a batch and its events: chunk id, content, time, and the order of arrival.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import { Metrics } from '#shared/metrics.ts';
import { headedRecord } from '#shared/queue/headers.ts';
import { chainAfterRun, chainStart } from '#shared/record/chain.ts';
import { QueueIntake } from '#forwarder/intake/intake.ts';
import { ForwarderTelemetry } from '#forwarder/intake/telemetry.ts';
import { RecordingQueue } from './recording-queue.ts';
import { SILENT, chunkOf, entriesOf, held, setUp } from './intake-fixture.ts';

function chainOf(chain: Uint8Array, run: Uint8Array): Uint8Array {
  const steps = chainAfterRun(chain, run);
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  return step.value;
}

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

test('a repeat of a chunk id has the same name at any time; it begins with the first entry’s time', async () => {
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
