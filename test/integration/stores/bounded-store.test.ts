// A Sluice that has more logs than its store may hold: the oldest go, which the log and the metrics tell; and
// `sluice store` beside it.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { samplesOf, valueOf } from '../parts/scrape.ts';
import { newPlace, type Place, sluice, SluiceProcess } from '../parts/sluice-process.ts';

const MIB = 2 ** 20;
const BOUND = { SLUICE_STORE_MAX_BYTES: '16MiB' };
const LINES = 1000;

/** Lines that hardly shrink, of 3 MiB. */
async function flood(place: Place, request: number): Promise<void> {
  const lines = Array.from({ length: LINES }, (_, i) => {
    const message = `request ${request} line ${i} ${randomBytes(2304).toString('base64')}`;
    return JSON.stringify({ message });
  });
  const { status } = await fetch(`http://127.0.0.1:${place.http}/flood`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines.join('\n'),
  });
  assert.equal(status, 200);
}

const metricsOf = async (place: Place) =>
  samplesOf(await (await fetch(`http://127.0.0.1:${place.admin}/metrics`)).text());

test('the oldest documents go when there is too much, and sluice store works beside it', async () => {
  await using place = await newPlace();
  await using run = await new SluiceProcess(['run'], place, BOUND).ready();
  for (let request = 1; request <= 10; request++) await flood(place, request);
  const value = async (name: string, labels = {}) => valueOf(await metricsOf(place), `sluice_${name}`, labels) ?? 0;
  await run.until(async () => (await value('events_indexed_total')) === 10 * LINES);
  await run.until(async () => (await value('store_deleted_documents_total', { reason: 'size' })) > 3 * LINES);
  const deleted = () => value('store_deleted_documents_total', { reason: 'size' });
  const left = async (): Promise<number> => {
    const { stdout, stderr } = await sluice(['store', '--json'], place, BOUND);
    assert.notEqual(stdout, '', stderr);
    return (JSON.parse(stdout) as { documents: number }).documents;
  };
  assert.equal((await left()) + (await deleted()), 10 * LINES);
  assert.equal(await value('store_limit_bytes'), 16 * MIB);
  assert((await value('store_bytes', { of: 'used' })) > 4 * MIB);
  assert((await value('store_oldest_timestamp_seconds')) > Date.now() / 1000 - 600);
  assert.equal(await value('store_upkeep_failures_total'), 0);
  assert.match(run.stderr, /store_bound_passed/);
  assert.match(run.stderr, /indexed_until/);
  const { size } = await stat(join(place.dataDir, 'store', 'documents.sqlite'));
  assert(size < 17 * MIB, `${size} bytes`);

  // A shell knows nothing of the service's settings: none of these may delete by their own.
  const verified = await sluice(['store', 'verify'], place);
  assert.match(verified.stdout, /: all whole\n$/);
  assert.equal(verified.code, 0);
  const exported = await sluice(['store', 'export', '--where', '"request 10 line"'], place);
  assert.equal(exported.stdout.split('\n').length - 1, LINES);
  const before = await left();
  const file = join(place.dataDir, 'export.ndjson');
  await writeFile(file, exported.stdout);
  const imported = await sluice(['store', 'import', file], place);
  assert.equal(imported.stdout, '0 documents imported, 1,000 already there, 0 refused\n');
  assert.equal((await sluice(['store', 'compact'], place)).code, 0);
  assert.equal(await left(), before);

  // The names of what was deleted are free, those of what is there are not: this one goes on as before.
  await flood(place, 11);
  await run.until(async () => (await value('events_indexed_total')) === 11 * LINES);
  assert.equal((await sluice(['store', 'verify'], place)).code, 0);
  assert.equal((await run.stop()).code, 0);
});
