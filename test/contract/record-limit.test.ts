// What an edge puts into a record an indexer opens, and what of one sender's cannot be indexed costs no other sender
// its events: the whole way, with entries at the limit of a record and beyond.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Chunk } from '#forwarder/intake/chunk.ts';
import { QueueIntake } from '#forwarder/intake/intake.ts';
import { ForwarderTelemetry } from '#forwarder/intake/telemetry.ts';
import { systemClock } from '#shared/clock.ts';
import { Metrics } from '#shared/metrics.ts';
import { type SettingName, settings } from '#shared/config/settings.ts';
import { decodeBatches } from '#shared/record/record.ts';
import { openedBytesMax, RECORD_VALUE_BYTES_MAX } from '#shared/record/value-limit.ts';
import { World } from '#test/indexer/world.ts';

const SEAL_BYTES = 512 * 1024;

function intakeOf({ queue, log }: World): QueueIntake {
  return new QueueIntake({
    queue,
    clock: systemClock,
    telemetry: new ForwarderTelemetry(new Metrics({ version: '0', command: 'test' }), log),
    bytesMax: 1024 ** 3,
    lingerMs: 5,
    sealBytes: SEAL_BYTES,
    openWaitMs: 1000,
  });
}

function chunkOf(sender: string, entries: Buffer, count = 1, changes: Partial<Chunk> = {}): Chunk {
  const origin = { tag: 'app', input: 'forward', tenant: null, sender, chunkId: null } as const;
  return { ...origin, encoding: 'identity', bytes: entries, entries, count, ...changes };
}

/** [1, {"": "\0\0…"}] of so many bytes. */
function entryOf(bytes: number): Buffer {
  const entry = Buffer.alloc(bytes);
  Buffer.from('920181a0db', 'hex').copy(entry);
  entry.writeUInt32BE(bytes - 9, 5);
  return entry;
}

test('entries at the limit of a record, and beyond: each costs its sender a dead letter, others nothing', async () => {
  const world = new World({ partitions: 1 });
  const intake = intakeOf(world);
  const small = (): Promise<void> =>
    intake.accept(chunkOf('neighbour', world.entry({ log: `event ${world.sent++} `, container_name: '/web' })));
  const within = entryOf(RECORD_VALUE_BYTES_MAX);
  const beyond = entryOf(RECORD_VALUE_BYTES_MAX + 1);
  await Promise.all([
    small(),
    intake.accept(chunkOf('large', within)),
    small(),
    intake.accept(chunkOf('larger', beyond)),
    small(),
    intake.accept(chunkOf('both', Buffer.concat([within, beyond]), 2)),
    small(),
  ]);
  const indexer = await world.start();
  await world.drained();
  await world.clock.until(indexer.stop());
  world.check([indexer]);
  const [first, second, ...deadLetters] = world.queue.letters;
  for (const deadLetter of [first, second]) {
    assert.equal(deadLetter?.reason, 'entry_too_large');
    assert.equal(deadLetter.value.length, RECORD_VALUE_BYTES_MAX + 1);
  }
  assert.deepEqual(
    deadLetters.map(({ batches }) => decodeBatches(batches)?.map(({ sender }) => sender)),
    [['large'], ['both']],
  );
  for (const { reason } of deadLetters) assert.notEqual(reason, 'record_malformed');
});

test('a compressed chunk passes as it is up to the limit of a record; beyond it, it goes on split', async () => {
  const world = new World({ partitions: 1 });
  const intake = intakeOf(world);
  const half = entryOf(RECORD_VALUE_BYTES_MAX / 2);
  const one = world.entry({ log: `event ${world.sent++} `, container_name: '/web' });
  for (const entries of [Buffer.concat([half, half]), Buffer.concat([half, one, half])]) {
    const count = entries.length > RECORD_VALUE_BYTES_MAX ? 3 : 2;
    await intake.accept(
      chunkOf('packed', entries, count, { encoding: 'gzip', bytes: gzipSync(entries, { level: 1 }) }),
    );
  }
  const indexer = await world.start();
  await world.drained();
  await world.clock.until(indexer.stop());
  world.check([indexer]);
  for (const { reason } of world.queue.letters) assert.notEqual(reason, 'record_malformed');
  assert.deepEqual(
    world.queue.log(0).map(({ headers }) => Buffer.from(headers['encoding'] ?? []).toString()),
    ['gzip', 'zstd', 'identity', 'zstd'],
  );
});

test('no setting lets an edge make a record that an indexer with another setting does not open', () => {
  const recordBytes = rangeOf('gather.record_bytes').maximum;
  // Of several shares there are fewer than twice `gather.record_bytes`.
  assert(2 * recordBytes <= RECORD_VALUE_BYTES_MAX);
  assert(openedBytesMax(rangeOf('frame.max_bytes').minimum) >= RECORD_VALUE_BYTES_MAX + recordBytes);
  assert(rangeOf('document.max_bytes').maximum <= RECORD_VALUE_BYTES_MAX);
});

function rangeOf(name: SettingName): { minimum: number; maximum: number } {
  return settings[name].schema as unknown as { minimum: number; maximum: number };
}
