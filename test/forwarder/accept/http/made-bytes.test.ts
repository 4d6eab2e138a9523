// The memory of what a large body was converted to goes back when the request has its answer; not before, and not where
// a chunk of it may be under way still.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { ByteBudget } from '#shared/byte-budget.ts';
import { SluiceError } from '#shared/errors.ts';
import { systemClock } from '#shared/clock.ts';
import { Fixture } from './http-fixture.ts';

const NDJSON = { 'content-type': 'application/x-ndjson' };
const BODY_BYTES_MAX = 16 * 1024 * 1024;
const PADDING = 'x'.repeat(1000);

const startLarge = (): Promise<Fixture> =>
  Fixture.start({}, systemClock, { bodyBytesMax: BODY_BYTES_MAX, large: new ByteBudget(2 * BODY_BYTES_MAX) });

test('stored: its chunks are empty', async () => {
  await using fixture = await startLarge();
  const lengths: number[] = [];
  fixture.intake.refuse = ({ bytes, freeBytes }) => {
    lengths.push(bytes.length);
    return (freeBytes?.(), null);
  };
  const { status } = await fixture.post('/app', `{"a":"${PADDING}"}\n`.repeat(4000), NDJSON);
  assert.equal(status, 200);
  assert(lengths.every((length) => length > 4_000_000) && lengths.length > 0, lengths.join());
  assert.deepEqual(
    fixture.intake.chunks.map(({ bytes }) => bytes.length),
    lengths.map(() => 0),
  );
});

test('a part of it is refused, or goes on as a dead letter: all stay', async () => {
  await using fixture = await startLarge();
  fixture.intake.refuse = ({ tag, freeBytes }) => {
    if (tag === 'b') return new SluiceError('queue_unavailable', 'Cannot append: down');
    return (freeBytes?.(), null);
  };
  const items = ['a', 'b'].map((index) =>
    `{"create":{"_index":"${index}","_id":"1"}}\n{"a":"${PADDING}"}\n`.repeat(2000),
  );
  const { status } = await fixture.post('/_bulk', items.join(''), NDJSON);
  assert.equal(status, 200);
  assert(fixture.intake.chunks.length > 2);
  assert(fixture.intake.chunks.every(({ bytes }) => bytes.length > 1000));
});

test('an answer that is read late names each item still', async () => {
  await using fixture = await startLarge();
  fixture.intake.refuse = ({ freeBytes }) => (freeBytes?.(), null);
  const count = 2000;
  const item = (id: number): string => `{"create":{"_index":"a","_id":"id-${id}"}}\n{"a":"${PADDING}"}\n`;
  const body = Array.from({ length: count }, (_, id) => item(id)).join('');
  const response = await fetch(`${fixture.url}/_bulk?filter_path=errors,items.*._id`, {
    method: 'POST',
    body,
    headers: NDJSON,
  });
  const { items, errors } = (await response.json()) as { errors: boolean; items: { create: { _id: string } }[] };
  assert.equal(errors, false);
  assert.deepEqual(
    items.map(({ create }) => create._id),
    Array.from({ length: count }, (_, id) => `id-${id}`),
  );
  assert(fixture.intake.chunks.every(({ bytes }) => bytes.length === 0));
});

test('while nobody reads the answer, its events are held no more; after a time it ends', async () => {
  await using fixture = await Fixture.start({ requestTimeoutMs: 2000 }, systemClock, {
    bodyBytesMax: BODY_BYTES_MAX,
    large: new ByteBudget(2 * BODY_BYTES_MAX),
  });
  fixture.intake.refuse = ({ freeBytes }) => (freeBytes?.(), null);
  const id = 'x'.repeat(400);
  const items = Array.from(
    { length: 15_000 },
    (_, i) => `{"create":{"_id":"${id}${i}"}}\n{"a":"${PADDING.slice(600)}"}\n`,
  );
  const body = items.join('');
  const [host = '', port] = fixture.server.address.split(':');
  const deaf = connect(Number(port), host)
    .pause()
    .on('error', () => {});
  const path = '/a/_bulk?filter_path=items.*._id';
  deaf.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n`);
  deaf.write(`Content-Length: ${body.length}\r\n\r\n${body}`);
  const stored = (): number => fixture.intake.chunks.filter(({ bytes }) => bytes.buffer.byteLength === 0).length;
  while (stored() < items.length) await turn();
  while (fixture.connections > 0) await turn();
});
