// `sluice dead-letters` as its users have it: over the embedded queue and store, beside a running `sluice run` and
// without one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeadLetter } from '#shared/queue/queue.ts';
import { documentId } from '#shared/record/identity.ts';
import { decodeBatches, encodeBatches } from '#shared/record/record.ts';
import { World } from '#test/indexer/world.ts';
import { newPlace, type Place, sluice, SluiceProcess } from '../parts/sluice-process.ts';
import { storeDeadLetters } from '../parts/stored-dead-letters.ts';

/** Letters of three events, the last of which is no event, and of a chunk that the edge could not read. */
function someLetters(world: World): DeadLetter[] {
  const batch = { ...world.batch(3), tag: 'app.letters', receivedMs: Date.now() };
  const about = { batches: encodeBatches([batch]), reason: 'document_refused', from: 'sluice.logs/0/7', cut: false };
  const event = (index: number, value: Uint8Array, error: string): DeadLetter => ({ ...about, index, value, error });
  return [
    event(0, world.entry({ log: 'first' }), 'document_parsing_exception:\nfailed to parse'),
    event(1, world.entry({ log: 'second' }), 'document_parsing_exception: failed to parse'),
    { ...event(2, Buffer.from([0x92, 0x00, 0x05]), 'Cannot read the entry'), reason: 'entry_malformed' },
    { ...about, reason: 'frame_malformed', error: 'no msgpack', from: 'edge', value: Buffer.from('raw bytes\n') },
  ];
}

const letters = (place: Place, ...args: string[]) => sluice(['dead-letters', ...args], place);

const lines = ({ stdout }: { stdout: string }): string[] => stdout.split('\n').filter((line) => line !== '');

test('list, show, replay', async () => {
  await using place = await newPlace();
  const world = new World();
  const given = someLetters(world);
  await storeDeadLetters(place, given);

  await listsAndShows(place, given);
  {
    await using running = await new SluiceProcess(['run'], place).ready();
    await replaysBeside(running, place);
    const stopped = await running.stop();
    assert.equal(stopped.code, 0, stopped.stderr);
  }
  // Without the process, by the command itself.
  const alone = await letters(place, 'replay', '--again', '--reason', 'document_refused');
  assert.match(alone.stdout, /^0 indexed, 2 were there already/, `${alone.code} ${alone.stderr}`);
  assert.equal(lines(await sluice(['logs', 'app.letters', '-n', 'all'], place)).length, 2);
});

async function listsAndShows(place: Place, given: readonly DeadLetter[]): Promise<void> {
  const listed = await letters(place, 'list');
  assert.deepEqual([listed.code, listed.stderr], [0, '']);
  assert.deepEqual(
    lines(listed).map((line) => line.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/, 'TIME')),
    [
      '0/0  TIME  document_refused  app.letters  document_parsing_exception: failed to parse',
      '0/1  TIME  document_refused  app.letters  document_parsing_exception: failed to parse',
      '0/2  TIME  entry_malformed  app.letters  Cannot read the entry',
      '0/3  TIME  frame_malformed  app.letters  no msgpack',
    ],
  );
  assert.deepEqual(lines(await letters(place, 'list', '--reason', 'entry_malformed')).length, 1);
  assert.deepEqual(lines(await letters(place, 'list', '-n', '2'))[0]?.slice(0, 3), '0/2');
  assert.deepEqual(lines(await letters(place, 'list', '--until', '1h')).length, 0);

  const shown = JSON.parse((await letters(place, 'show', '0/1', '--json')).stdout) as Record<string, unknown>;
  assert.equal(shown['reason'], 'document_refused');
  const [batch] = decodeBatches(given[1]?.batches ?? Buffer.alloc(0)) ?? [];
  assert(batch);
  assert.equal(shown['document'], documentId(batch, 1));
  assert.deepEqual((shown['event'] as { record?: unknown }).record, { log: 'second' });
  assert.equal((await letters(place, 'show', '0/3', '--raw')).stdout, 'raw bytes\n');
  assert.match((await letters(place, 'show', '0/0')).stdout, /^event {5}\{"time":.*"log":"first"/m);
  assert.equal((await letters(place, 'show', '0/99')).code, 1);
  assert.equal((await letters(place, 'show', 'first')).code, 2);
  assert.equal((await letters(place, 'forget')).code, 2);
  assert.equal((await letters(place, 'replay', '--since', 'soon')).code, 2);
  assert.match(
    (await letters(place, 'replay', '--dry-run')).stdout,
    /^4 letters would be replayed\n +2 {2}document_refused/,
  );
}

/** By the process that runs. */
async function replaysBeside(running: SluiceProcess, place: Place): Promise<void> {
  const replayed = await letters(place, 'replay', '--reason', 'document_refused');
  assert.deepEqual(
    [replayed.code, replayed.stdout],
    [0, '2 indexed, 0 were there already, 0 refused again, 0 cannot be replayed\n'],
  );
  const logged = await sluice(['logs', 'app.letters', '-n', 'all'], place);
  assert.deepEqual(lines(logged), ['first', 'second']);
  assert.deepEqual(
    lines(await letters(place, 'list')).map((line) => line.slice(0, 3)),
    ['0/2', '0/3'],
  );
  assert.equal(lines(await letters(place, 'list', '--all')).filter((line) => line.endsWith('(replayed)')).length, 2);
  const again = await letters(place, 'replay', '--reason', 'document_refused', '--again');
  assert.match(again.stdout, /^0 indexed, 2 were there already/, `${again.code} ${again.stderr}`);
  assert.equal(await running.metric('ledger_imbalance'), 0);
  assert.match((await sluice(['cat', '--topic', 'dead-letters'], place)).stdout, /"replayed":\["0\/0","0\/1"\]/);

  // What cannot be replayed is said, each time.
  const rest = await letters(place, 'replay');
  assert.equal(rest.code, 0, rest.stderr);
  assert.match(rest.stdout, /^0 indexed, 0 were there already, 0 refused again, 2 cannot be replayed\n/);
  assert.match(rest.stdout, /^ {2}1 cannot be replayed: its bytes are no entry$/m);
  assert.equal(lines(await letters(place, 'list')).length, 2);
}

test('a process that has the queue and cannot be asked', async () => {
  await using place = await newPlace();
  await storeDeadLetters(place, someLetters(new World()));
  await using running = await new SluiceProcess(['run'], place).ready();
  const elsewhere = { ...place, admin: place.forward + 1 === place.http ? place.http + 1 : place.forward + 1 };
  const refused = await letters(elsewhere, 'replay');
  assert.equal(refused.code, 1);
  assert.match(
    refused.stderr,
    /^sluice: Cannot replay: another sluice process has the queue, and cannot be asked on .*Stop that one/,
  );
  assert.equal(running.stderr.includes('replay'), false);
});
