// `sluice erase` as its users have it: over the embedded queue and store, beside a running `sluice run` and without
// one; and what a reindex brings back.

import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { DeadLetter } from '#shared/queue/queue.ts';
import { encodeBatches } from '#shared/record/record.ts';
import { World } from '#test/indexer/world.ts';
import { newPlace, type Place, sluice, SluiceProcess } from '../parts/sluice-process.ts';
import { storeDeadLetters } from '../parts/stored-dead-letters.ts';

const erase = (place: Place, ...args: string[]) => sluice(['erase', ...args], place);

async function post(place: Place, container: string, texts: readonly string[]): Promise<void> {
  const lines = texts.map((message) => JSON.stringify({ message, container_name: container }));
  const headers = { 'content-type': 'application/x-ndjson' };
  const body = lines.join('\n');
  const answer = await fetch(`http://127.0.0.1:${place.http}/app.erase`, { method: 'POST', headers, body });
  assert.equal(answer.status, 200, await answer.text());
}

async function stored(place: Place): Promise<string[]> {
  const { stdout } = await sluice(['logs', '-n', 'all'], place);
  return stdout.split('\n').filter((line) => line !== '');
}

/** One of another container, one of two records that belong together, and the last of all. */
async function appendDeadLetters(place: Place): Promise<void> {
  const world = new World();
  const batch = { ...world.batch(9), receivedMs: Date.now() };
  const about = { batches: encodeBatches([batch]), reason: 'document_refused', error: 'no', from: 'l/0/0', cut: false };
  const letter = (index: number, fields: Record<string, string>): DeadLetter => ({
    ...about,
    index,
    value: world.entry(fields),
  });
  await storeDeadLetters(place, [
    letter(0, { container_name: 'db', log: 'stays' }),
    letter(1, { container_name: 'web', log: 'the topsecret one' }),
    letter(2, { container_name: 'web', log: 'the topsecret last' }),
  ]);
}

test('tells first, erases with --yes, and twice is harmless', async () => {
  await using place = await newPlace();
  await appendDeadLetters(place);
  await using running = await new SluiceProcess(['run'], place).ready();
  await post(place, 'web', ['one', 'two with topsecret', 'three']);
  await post(place, 'db', ['four', 'five']);
  await running.until(async () => (await stored(place)).length === 5);

  const dry = await erase(place, '--container', 'web');
  assert.equal(dry.code, 0, dry.stderr);
  assert.match(dry.stdout, /^3 documents and 2 dead letters\n(?: {2}\S+ web \| .*\n){3}Nothing was erased; add --yes/);
  assert.match(dry.stderr, /`sluice reindex` of its time brings it back/);
  assert.match(dry.stderr, /Snapshots of the store, spools of forwarders/);
  assert.equal((await stored(place)).length, 5);

  const done = await erase(place, '--container', 'web', '--yes');
  assert.match(done.stdout, /\n3 documents and 2 dead letters erased\n$/, done.stderr);
  assert.equal(done.code, 0);
  assert.deepEqual(
    (await stored(place)).map((line) => line.split('| ').at(-1)),
    ['four', 'five'],
  );
  const letters = await sluice(['dead-letters', 'list'], place);
  assert.deepEqual(
    letters.stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => line.slice(0, 3)),
    ['0/0'],
    letters.stdout,
  );
  const file = await readFile(join(place.dataDir, 'queue', 'log.sqlite'), 'latin1');
  assert(!file.includes('the topsecret'), 'the dead letters are overwritten');
  const again = await erase(place, '--container', 'web', '--yes');
  assert.deepEqual([again.code, again.stdout], [0, 'Nothing is found that would be erased\n']);

  // Who may ask the page, and has no way into the data folder, erases nothing.
  const url = `http://127.0.0.1:${place.admin}/dead-letters/erase`;
  const headers = { 'content-type': 'application/json' };
  for (const body of [{ offsets: [0] }, { list: `erase-${'0'.repeat(32)}` }, { list: '../queue/erase' }])
    assert.equal((await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })).status, 400);
  assert.deepEqual(
    (await readdir(join(place.dataDir, 'queue'))).filter((name) => name.startsWith('erase')),
    [],
  );

  await comesBackAndIsErasedAgain(place);

  // What comes after still becomes a dead letter, and replays.
  assert.equal((await sluice(['dead-letters', 'replay'], place)).code, 0);
  await running.until(async () => (await stored(place)).length === 5);
  assert.equal(await running.metric('ledger_imbalance'), 0);
  assert.equal((await running.stop()).code, 0);
  const alone = await erase(place, '--all', '--yes');
  assert.match(alone.stdout, /\n5 documents and 1 dead letters erased\n$/, alone.stderr);
  assert.deepEqual(await stored(place), []);
});

/** The queue still has them: what the command warns of. */
async function comesBackAndIsErasedAgain(place: Place): Promise<void> {
  const back = await sluice(['reindex', '--from', '1h'], place);
  assert.match(back.stdout, /^3 events added, 2 were there already/, back.stderr);
  const json = await erase(place, '--query', 'topsecret', '--yes', '--json');
  const report = JSON.parse(json.stdout) as { erased: unknown; done: boolean };
  assert.deepEqual([report.erased, report.done], [{ documents: 1, dead_letters: 0 }, true]);
  assert.equal((await stored(place)).length, 4);
}

test('guards', async () => {
  await using place = await newPlace();
  const wrong = [
    [[], /give --tenant, --container or --query, or --all/],
    [['--since', '1h'], /give --tenant/],
    [['--query', ' ... '], /holds no word/],
    [['--query', 'level:error'], /words and "phrases" only/],
    [['--query', 'secret OR key'], /words and "phrases" only/],
    [['--query', 'secret -key'], /words and "phrases" only/],
    [['--container', '*'], /means everything/],
    [['--tenant', ''], /--tenant is empty/],
    [['--tenant', 'a', '--tenant', 'b'], /given twice/],
    [['--tenant', 'a', '--yes', '--dry-run'], /exclude each other/],
    [['--tenant', 'a', '--since', 'soon'], /Cannot read --since "soon"/],
  ] as const;
  for (const [args, said] of wrong) {
    const { code, stderr, stdout } = await erase(place, ...args);
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, said);
  }
  const nowhere = await erase(place, '--tenant', 'a');
  assert.equal(nowhere.code, 1);
  assert.match(nowhere.stderr, /^sluice: Cannot read the embedded store: there is none/);
});
