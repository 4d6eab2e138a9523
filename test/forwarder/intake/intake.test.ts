// Intake: nothing is answered before it is stored, chunks keep their order and partitions, and the ledger closes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import { decodeBatches } from '#shared/record/record.ts';
import { chunkOf, entriesOf, held, ledger, setUp } from './intake-fixture.ts';

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
