// `sluice reindex` as its users have it: over the embedded queue and store, beside a running `sluice run` and without
// one.

import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { newPlace, type Place, sluice, SluiceProcess } from '../parts/sluice-process.ts';

const EVENTS = 300;

async function post(place: Place, from: number, count: number): Promise<void> {
  const lines = Array.from({ length: count }, (_, i) => JSON.stringify({ message: `event ${from + i}` }));
  const headers = { 'content-type': 'application/x-ndjson' };
  const body = lines.join('\n');
  const answer = await fetch(`http://127.0.0.1:${place.http}/app.again`, { method: 'POST', headers, body });
  assert.equal(answer.status, 200, await answer.text());
}

async function stored(place: Place): Promise<string[]> {
  const { stdout } = await sluice(['logs', '-n', 'all'], place);
  return stdout.split('\n').filter((line) => line !== '');
}

const reindex = (place: Place, ...args: string[]) => sluice(['reindex', ...args], place);

interface Report {
  readonly indexed: number;
  readonly present: number;
  readonly done: boolean;
}

test('what the store lost comes back, and nothing that it has', async () => {
  await using place = await newPlace();
  {
    await using running = await new SluiceProcess(['run'], place).ready();
    for (let i = 0; i < 3; i++) await post(place, i * 100, 100);
    await running.until(async () => (await stored(place)).length === EVENTS);
    assert.equal((await running.stop()).code, 0);
  }
  // Without the process: all is there.
  const alone = await reindex(place, '--from', '1h', '--json');
  assert.deepEqual([alone.code, JSON.parse(alone.stdout) as Report], [0, { ...counts(alone), indexed: 0 }]);
  assert.equal(counts(alone).present, EVENTS);

  await rm(join(place.dataDir, 'store'), { recursive: true });
  await using running = await new SluiceProcess(['run'], place).ready();
  assert.equal((await stored(place)).length, 0, 'the queue does not give it again by itself');
  await saysWhatItWouldDo(place);
  const beside = await reindex(place, '--from', '1h');
  assert.match(beside.stdout, new RegExp(`^${EVENTS} events added, 0 were there already, 0 refused\n$`), beside.stderr);
  assert.equal(beside.code, 0);
  assert.match(beside.stderr, /go on with: sluice reindex --from \S+Z --to \S+Z\n/);
  assert.equal(new Set(await stored(place)).size, EVENTS);
  assert.equal((await stored(place)).length, EVENTS);
  assert.match((await reindex(place, '--from', '1h')).stdout, /^0 events added, 300 were there already/);
  await post(place, EVENTS, 1);
  await running.until(async () => (await stored(place)).length === EVENTS + 1);
  assert.equal(await running.metric('ledger_imbalance'), 0);
});

function counts({ stdout }: { readonly stdout: string }): Report {
  return JSON.parse(stdout) as Report;
}

async function saysWhatItWouldDo(place: Place): Promise<void> {
  const dry = await reindex(place, '--from', '1h', '--dry-run');
  assert.match(dry.stdout, /^\S+Z to \S+Z: [1-9]\d* records of the queue in 1 partitions\n$/);
  assert.equal(dry.code, 0);
  assert.equal((await stored(place)).length, 0);
  const wrong = [
    [[], /give --from/],
    [['--from', 'soon'], /Cannot read --from "soon"/],
    [['--from', '1h', '--to', '2h'], /--from is not before --to/],
    [['--from', '1h', '--late', 'ever'], /Cannot read --late "ever"/],
    [['--from', '1h', '--into', 'logs-sluice-again'], /has each event once/],
    [['--from', '1h', '--into', 'other'], /the template covers/],
    [['--from', '1h', '--into', '../x'], /lower-case letters/],
  ] as const;
  for (const [args, said] of wrong) {
    const { code, stderr, stdout } = await reindex(place, ...args);
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, said);
  }
}

test('where there is no queue yet, it says so', async () => {
  await using place = await newPlace();
  const { code, stderr } = await reindex(place, '--from', '1h');
  assert.equal(code, 1);
  assert.match(stderr, /^sluice: Cannot read the queue .*: there is none yet/);
});
