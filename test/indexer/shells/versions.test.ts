// Records of versions 1 and 2 on one topic: an upgrade in mid-traffic doubles nothing. What version 1 wrote is kept as
// bytes.

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startIndexer } from '#indexer/shells/main.ts';
import { unpack } from '#indexer/unpack/unpack.ts';
import { systemClock } from '#shared/clock.ts';
import { readDeadLetter, recordOfDeadLetter } from '#shared/queue/dead-letter.ts';
import { openEmbeddedQueue } from '#shared/queue/embedded/embedded-queue.ts';
import { headedDeadLetter, headedRecord } from '#shared/queue/headers.ts';
import type { FetchedRecord } from '#shared/queue/queue.ts';
import { decodeSpoolEntry } from '#shared/queue/spooled/local/spool-entry.ts';
import { documentId } from '#shared/record/identity.ts';
import { oldLetters, oldQueueFile, oldRecords, oldSpooled } from '#test/fixtures/record-v1/captured.ts';
import { World } from '../world.ts';

const oldIds = oldRecords.flatMap(({ ids }) => ids);

async function idsOf(record: Pick<FetchedRecord, 'headers' | 'value'>): Promise<string[]> {
  const opened = await unpack({ ...record, partition: 0, offset: 0, timestampMs: 0 }, { bytesMax: 1e6 });
  assert(opened.kind === 'unpacked', JSON.stringify(opened));
  return opened.batches.flatMap((batch) =>
    Array.from({ length: batch.count }, (_, i) => documentId(batch, batch.first + i)),
  );
}

test('records of version 1 have the names that they had', async () => {
  for (const record of oldRecords) assert.deepEqual(await idsOf(record), record.ids);
});

test('old records first, then both, then the old ones again: everything once', async () => {
  const world = new World({ partitions: 1 });
  const addOld = (): void => oldRecords.forEach(({ headers, value }) => world.queue.add(0, headers, value));
  addOld();
  const indexer = await world.start();
  await world.drained();
  assert.deepEqual(new Set(world.store.documents.keys()), new Set(oldIds));
  world.sent = 1000;
  await world.send(0, [3, 1]);
  oldRecords.slice(0, 3).forEach(({ headers, value }) => world.queue.add(0, headers, value));
  await world.send(0, [2]);
  await world.drained();
  addOld();
  await world.drained();
  await world.clock.until(indexer.stop());
  assert.equal(world.store.documents.size, oldIds.length + 6);
  assert.equal(indexer.ledger.counts.indexed, oldIds.length + 6);
  assert.equal(indexer.ledger.imbalance, 0);
  assert.deepEqual(world.queue.letters, []);
});

test('the file of an embedded queue that the old program left is read on', async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-v1-'));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  mkdirSync(join(dataDir, 'queue'));
  writeFileSync(join(dataDir, 'queue', 'log.sqlite'), oldQueueFile());
  await using queue = await openEmbeddedQueue({
    dataDir,
    bytesMax: 64 * 1024 * 1024,
    retentionMs: 1e13,
    clock: systemClock,
    readOnly: false,
    warn: (line) => assert.fail(line),
  });
  const world = new World({ partitions: 1 });
  world.sent = 1000;
  await world.send(0, [4]);
  for (const { headers, value } of world.queue.log(0)) await queue.appendHeaded('logs', [{ headers, value }]);
  for (const { headers, value } of oldRecords) await queue.appendHeaded('logs', [{ headers, value }]);
  const indexer = await startIndexer({ ...world.options, queue });
  const expected = 2 * oldIds.length + 4;
  const { counts } = indexer.ledger;
  while (counts.indexed + counts.deduplicated < expected && indexer.unreadyReason !== 'failed') {
    await world.clock.advance(100);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await world.clock.until(indexer.stop());
  assert.deepEqual([counts.indexed, counts.deduplicated], [oldIds.length + 4, oldIds.length]);
  assert.equal(world.store.documents.size, oldIds.length + 4);
  const deadLetters: string[] = [];
  for await (const record of queue.read({ topic: 'dead-letters' })) {
    const deadLetter = readDeadLetter(record);
    if (deadLetter.kind === 'dead-letter') deadLetters.push(deadLetter.reason);
  }
  assert.deepEqual(deadLetters, ['chunk_undecodable', 'document_refused', 'record_malformed']);
});

test('what a spool kept goes on in its version', async () => {
  const [record, deadLetter] = oldSpooled.map(({ headers, value }) => decodeSpoolEntry(headers, value));
  assert(record?.kind === 'record' && deadLetter?.kind === 'dead-letter');
  assert.equal(record.partition, 3);
  assert.deepEqual(headedRecord(record.record).headers, oldRecords[0]?.headers);
  assert.deepEqual(await idsOf(headedRecord(record.record)), oldRecords[0]?.ids);
  assert.deepEqual(headedDeadLetter(deadLetter.deadLetter).headers, oldLetters[1]?.headers);
});

test('dead letters are replayed under the names that their events had', async () => {
  const replayed = oldLetters.map(({ headers, value }) => {
    const deadLetter = readDeadLetter({ headers, value, partition: 0, offset: 0, timestampMs: 0 });
    assert(deadLetter.kind === 'dead-letter');
    return recordOfDeadLetter(deadLetter);
  });
  const [chunk, event, record] = replayed;
  assert.equal(typeof chunk, 'string');
  assert(typeof event === 'object' && typeof record === 'object');
  assert.deepEqual(await idsOf(event), [oldRecords[0]?.ids[1]]);
  assert.deepEqual(await idsOf(record), oldRecords[0]?.ids);
});
