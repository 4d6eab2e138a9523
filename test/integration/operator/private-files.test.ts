// Logs hold what nobody but their owner is to read: every file of the data folder is 0600 and every folder 0700,
// whatever the umask is.

import assert from 'node:assert/strict';
import { chmodSync, existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { freePort } from '#test/backends/free-port.ts';
import { ForwardClient } from '#test/clients/forward-client.ts';
import { type Environment, newPlace, type Place, SluiceProcess } from '../parts/sluice-process.ts';

const program = [
  'sh',
  '-c',
  'umask 0; exec "$0" "$@"',
  process.execPath,
  resolve(import.meta.dirname, '../../../services/sluice/main.ts'),
] as const;

/** Path → permissions, of all below the data folder that others than the owner can use. */
function open(place: Place): { readonly seen: string[]; readonly open: string[] } {
  const seen = readdirSync(place.dataDir, { recursive: true, encoding: 'utf8' });
  return { seen, open: seen.filter((name) => (statSync(join(place.dataDir, name)).mode & 0o077) !== 0) };
}

async function started(command: string, place: Place, more: Environment = {}): Promise<SluiceProcess> {
  const service = new SluiceProcess([command], place, more, [...program]);
  await service.until(async () => (await service.readiness()).reasons !== '' || (await service.readiness()).ready);
  return service;
}

test('the embedded queue and store, and files that an older version left open', async () => {
  await using place = await newPlace();
  for (const round of ['new', 'old'] as const) {
    await using service = await (await started('run', place)).ready();
    await using client = new ForwardClient(place.forward);
    await client.send('app.private', [{ timeNs: 1n, record: { message: round } }], 'packed');
    const found = open(place);
    assert.deepEqual(found.open, [], round);
    assert.ok(
      ['-wal', '-shm', 'lock'].every((end) => found.seen.some((name) => name.endsWith(end))),
      found.seen.join(),
    );
    await service.stop();
    for (const name of found.seen) {
      const file = join(place.dataDir, name);
      const now = statSync(file, { throwIfNoEntry: false });
      if (now?.isFile()) chmodSync(file, 0o644);
    }
  }
});

test('a data folder that is made at the start, and a queue that is made anew under the running process', async () => {
  await using outer = await newPlace();
  const place = { ...outer, dataDir: join(outer.dataDir, 'made', 'here') };
  await using service = await (await started('run', place)).ready();
  await using client = new ForwardClient(place.forward);
  await client.send('app.private', [{ timeNs: 1n, record: { message: 'one' } }], 'packed');
  rmSync(join(place.dataDir, 'queue'), { recursive: true });
  await service.until(() => Promise.resolve(existsSync(join(place.dataDir, 'queue', 'log.sqlite'))));
  await client.send('app.private', [{ timeNs: 1n, record: { message: 'two' } }], 'packed');
  const found = open(outer);
  assert.deepEqual(found.open, []);
  assert.ok(found.seen.includes('made/here/queue/log.sqlite'), found.seen.join());
});

test('the spool', async () => {
  await using place = await newPlace();
  // A spool needs to know its topic, which another start has left: without a broker it is opened, and takes nothing
  // yet.
  await using _service = await started('forwarder', place, { SLUICE_KAFKA_BROKERS: `127.0.0.1:${await freePort()}` });
  const found = open(place);
  assert.ok(found.seen.length > 1, found.seen.join());
  assert.deepEqual(found.open, []);
});
