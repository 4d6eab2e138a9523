// The wall clock of a machine jumps by a day, there and back, while Sluice runs: sequences go on upwards, nothing waits
// longer or shorter, for durations are measured by the clock that never jumps.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Chunk } from '#forwarder/intake/chunk.ts';
import { QueueIntake } from '#forwarder/intake/intake.ts';
import { ForwarderTelemetry } from '#forwarder/intake/telemetry.ts';
import { startIndexer } from '#indexer/shells/main.ts';
import { decodeBatches } from '#shared/record/record.ts';
import { RecordingQueue } from '#test/forwarder/intake/recording-queue.ts';
import { World } from '#test/indexer/world.ts';
import { MemoryStore } from '#test/memory/store.ts';
import { SimMetrics } from './metrics.ts';
import { SimProcess, WallClock } from './machine/process.ts';
import { SimTime } from './machine/time.ts';

const DAY_MS = 86_400_000;

/** A process whose wall clock can be set. */
class Machine {
  readonly time = new SimTime();
  readonly wall = new WallClock(0, 0);
  readonly clock = new SimProcess('machine', this.time, this.wall);

  async until(condition: () => boolean, limitMs: number): Promise<void> {
    const endMs = this.time.nowMs + limitMs;
    for (;;) {
      // What needs no time.
      for (let i = 0; i < 4; i++) await turn();
      if (condition()) return;
      assert(await this.time.step(endMs), `it happens within ${limitMs} ms`);
    }
  }
}

test('the edge gives sequences that only grow, and answers in its time', async () => {
  const { clock, wall, until } = methodsOf(new Machine());
  const queue = new RecordingQueue();
  const telemetry = new ForwarderTelemetry(new SimMetrics().registry, new World().log);
  const intake = new QueueIntake({
    queue,
    clock,
    telemetry,
    bytesMax: 1_000_000,
    lingerMs: 5,
    sealBytes: 100_000,
    openWaitMs: 1000,
  });
  const entries = new World().entry({ log: 'x' });
  for (const jumpMs of [0, DAY_MS, 0, -2 * DAY_MS, 0, DAY_MS]) {
    wall.offsetMs += jumpMs;
    let isHeld = false;
    void intake.accept(chunkOf(entries)).then(() => (isHeld = true));
    // Also in the middle of its linger.
    wall.offsetMs += jumpMs;
    await until(() => isHeld, 10);
    wall.offsetMs -= jumpMs;
  }
  const batches = queue.appends.flatMap(({ records }) =>
    records.flatMap((record) => decodeBatches(record.batches) ?? []),
  );
  assert.equal(batches.length, 6);
  for (const [i, { seq }] of batches.entries()) assert(seq > (batches[i - 1]?.seq ?? 0), `sequence ${i}`);
  const days = batches.map(({ receivedMs }) => Math.round((receivedMs - (batches[0]?.receivedMs ?? 0)) / DAY_MS));
  assert.deepEqual(days, [0, 1, 1, -1, -1, 0], 'the time of receipt is what the machine believes');
});

test('the indexer joins, waits and commits as if nothing had happened', async () => {
  const { clock, wall, until } = methodsOf(new Machine());
  const world = new World({ partitions: 1 });
  const part = (ordinal: number, last: boolean): Buffer =>
    world.entry({
      log: `part ${ordinal} `,
      partial_message: 'true',
      partial_id: 'line',
      partial_ordinal: String(ordinal),
      partial_last: String(last),
    });
  const store = new MemoryStore(clock);
  const stored = (): unknown[] => [...store.documents.values()].map(({ message }) => message);
  await world.sendEntries(0, [world.batch(1)], [part(1, false)]);
  await world.send(0, [3]);
  const indexer = await startIndexer({ ...world.options, clock, store });
  await until(() => stored().length === 3, 2000);
  wall.offsetMs += DAY_MS;
  const jumpedMs = clock.monotonicMs();
  await until(() => clock.monotonicMs() > jumpedMs + 3000, 5000);
  assert.equal(stored().length, 3, 'the part waits for its line, however late it seems to be');
  await world.sendEntries(0, [world.batch(1)], [part(2, true)]);
  wall.offsetMs -= 2 * DAY_MS;
  // What lay there when the partition was assigned is committed after `bulk.timeout_ms`.
  await until(() => world.isCommitted, world.config['bulk.timeout_ms'] + 5000);
  assert(stored().includes('part 1 part 2 '));
  await until(() => indexer.unreadyReason === null, 1000);
  let isStopped = false;
  void indexer.stop().then(() => (isStopped = true));
  await until(() => isStopped, 2000);
  assert.deepEqual([indexer.ledger.imbalance, indexer.ledger.counts.indexed], [0, 5]);
});

function methodsOf(machine: Machine) {
  const { clock, wall } = machine;
  return { clock, wall, until: machine.until.bind(machine) };
}

function chunkOf(entries: Buffer): Chunk {
  return {
    tag: 'app',
    input: 'forward',
    tenant: null,
    sender: '10.0.0.1',
    chunkId: null,
    encoding: 'identity',
    bytes: entries,
    entries,
    count: 1,
  };
}
