// One sender whose few compressed bytes are megabytes that no store takes: they take next to nothing of the dead
// letters' budget, others go on being indexed, and what was refused is there whole.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { test } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import { openEmbeddedQueue } from '#shared/queue/embedded/embedded-queue.ts';
import { readDeadLetters, surveyDeadLetters } from '#shared/queue/dead-letter-reader.ts';
import { ForwardClient } from '#test/clients/forward-client.ts';
import { inEmbeddedStore, untilStored } from '../parts/documents.ts';
import { newPlace, type Place, sluice, SluiceProcess } from '../parts/sluice-process.ts';

/** More values than a document may have. */
const VALUES = 270_000;
const ENTRIES = 70;

test('a frame of arrays that no document can be made of holds up nobody, and is kept whole', async () => {
  await using place = await newPlace();
  await using service = new SluiceProcess(['run'], place, {
    SLUICE_QUEUE_MAX_BYTES: String(128 * 1024 * 1024),
    SLUICE_LOG_LEVEL: 'error',
  });
  await service.ready();
  {
    await using client = new ForwardClient(place.forward);
    const event = { timeNs: 1_700_000_000_000_000_000n, record: { a: new Array<null>(VALUES).fill(null) } };
    const events = Array.from({ length: ENTRIES }, () => event);
    await client.send('app.bad', events, 'gzip');
  }
  await postFrom('127.0.0.2', place, { log: 'good' });
  await untilStored(inEmbeddedStore(place), 'good', 1);
  assert.deepEqual(await service.readiness(), { ready: true, reasons: '' });
  const [held, limit] = [await service.metric('dead_letters_bytes'), await service.metric('dead_letters_limit_bytes')];
  assert(limit === 16 * 1024 * 1024 && held < limit / 100, `${held} of ${limit}`);

  const letters = (...args: string[]) => sluice(['dead-letters', ...args], place);
  const listed = (await letters('list', '--reason', 'document_too_large')).stdout.trim().split('\n');
  assert.equal(listed.length, ENTRIES);
  const show = await letters('show', '0/0', '--json');
  assert.equal(show.code, 0, show.stderr);
  const shown = JSON.parse(show.stdout) as {
    readonly bytes: number;
    readonly cut: boolean;
    readonly event: { readonly record: { readonly a: unknown[] } };
  };
  assert.equal(shown.cut, false);
  assert.equal(shown.event.record.a.length, VALUES);

  // Still more than a document may have: each stays the dead letter that it is.
  const replayed = await letters('replay');
  assert.match(
    replayed.stdout,
    new RegExp(`^0 indexed, 0 were there already, ${ENTRIES} refused again`),
    replayed.stderr,
  );
  assert.equal((await service.stop()).code, 0);
  const values = await valuesIn(place);
  assert.equal(values.length, ENTRIES);
  const [first] = values;
  assert(first && first.length === shown.bytes && first.subarray(-VALUES).every((byte) => byte === 0xc0));
  assert(values.every((value) => value.equals(first)));
});

async function postFrom(localAddress: string, { http }: Place, event: unknown): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const sent = request({ host: '127.0.0.1', port: http, localAddress, method: 'POST', path: '/good', headers });
  sent.end(JSON.stringify(event));
  const [answer] = (await once(sent, 'response')) as [{ readonly statusCode: number; resume(): void }];
  answer.resume();
  assert.equal(answer.statusCode, 200);
}

async function valuesIn({ dataDir }: Place): Promise<Buffer[]> {
  await using queue = await openEmbeddedQueue({
    dataDir,
    bytesMax: 128 * 1024 * 1024,
    retentionMs: 3_600_000,
    readOnly: true,
    clock: systemClock,
    warn: () => undefined,
  });
  const { signal } = new AbortController();
  const survey = await surveyDeadLetters(queue, undefined, signal);
  const values: Buffer[] = [];
  for await (const { value } of readDeadLetters(queue, {}, { survey, signal })) values.push(Buffer.from(value));
  return values;
}
