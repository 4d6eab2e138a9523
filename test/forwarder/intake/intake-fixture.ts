// An intake on a queue that records what it gets; the chunks for it, and what became of them.

import assert from 'node:assert/strict';
import { encode } from '@msgpack/msgpack';
import { systemClock } from '#shared/clock.ts';
import { Metrics } from '#shared/metrics.ts';
import { countEntries } from '#shared/msgpack/extents.ts';
import { decompress } from '#shared/record/compression.ts';
import { type Batch, decodeBatches } from '#shared/record/record.ts';
import type { Chunk } from '#forwarder/intake/chunk.ts';
import { QueueIntake } from '#forwarder/intake/intake.ts';
import { ForwarderTelemetry } from '#forwarder/intake/telemetry.ts';
import { RecordingQueue } from './recording-queue.ts';

export const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

export function setUp(options: { bytesMax?: number; sealBytes?: number } = {}) {
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

export function entriesOf(texts: readonly string[]): Buffer {
  return Buffer.concat(texts.map((log, i) => encode([1_700_000_000 + i, { log }])));
}

export function chunkOf(texts: readonly string[], changes: Partial<Chunk> = {}): Chunk {
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

export async function held(
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

export async function ledger(metrics: Metrics): Promise<Record<string, number>> {
  const lines = (await metrics.render()).body.split('\n').filter((line) => /^sluice_(events|ledger)/.test(line));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}
