// Requests while the edge is full: they wait, are refused after a while, and leave nothing behind.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '#shared/clock.ts';
import { systemClock } from '#shared/clock.ts';
import { BODY_BYTES_MAX, Fixture, records, request } from './http-fixture.ts';

/** Other timers are of bodies. */
const ROOM_WAIT_MS = 5000;

test('a full edge makes requests wait, then refuses them', async () => {
  let expire = () => {};
  const clock: Clock = {
    ...systemClock,
    timer: (ms, action) => {
      if (ms === ROOM_WAIT_MS) expire = action;
      return { [Symbol.dispose]() {} };
    },
  };
  await using fixture = await Fixture.start({}, clock);
  fixture.intake.fill();
  const waiting = fixture.post('/a', '{"a":1}');
  assert.equal((await fetch(fixture.url)).status, 200);
  fixture.intake.drain();
  assert.equal((await waiting).status, 200);

  fixture.intake.fill();
  const refused = fixture.post('/a', '{"a":2}');
  assert.equal((await fetch(fixture.url)).status, 200);
  expire();
  const answer = await refused;
  assert.equal(answer.status, 429);
  assert.equal(answer.retryAfter, '2');
  assert.equal(JSON.parse(answer.body).error, 'intake_full');
  assert.equal(fixture.intake.chunks.length, 1);
  fixture.intake.drain();
});

test('bodies together stay within the bound; what is refused gives its bytes back', async () => {
  const expirations: (() => void)[] = [];
  const clock: Clock = {
    ...systemClock,
    timer: (ms, action) => {
      if (ms === ROOM_WAIT_MS) expirations.push(action);
      for (const wake of waiters.splice(0)) wake();
      return { [Symbol.dispose]() {} };
    },
  };
  const waiters: (() => void)[] = [];
  await using fixture = await Fixture.start({}, clock);
  const size = BODY_BYTES_MAX - 1000;
  const body = JSON.stringify({ a: 'x'.repeat(size - 8) });
  // Small bodies have 16 MiB of their own beside two of the largest.
  const count = Math.ceil((16 * 1024 * 1024 + 2 * BODY_BYTES_MAX) / size) + 8;
  const clients = await Promise.all(Array.from({ length: count }, () => fixture.raw()));
  // Each sends all but the last bytes: together more than is held, so at least one is stopped.
  for (const client of clients) client.write(request('/a', body).slice(0, -10));
  while (expirations.length === 0) await new Promise<void>((resolve) => waiters.push(resolve));
  expirations[0]?.();
  await Promise.race(clients.map((client) => client.until(/429 Too Many/)));
  for (const client of clients) client.socket.destroy();
  // One that would find no room if anything of them were still counted.
  assert.equal((await fixture.post('/a', body)).status, 200);
});

test('a sender that goes away in the middle of its body leaves nothing behind', async () => {
  await using fixture = await Fixture.start();
  const client = (await fixture.raw()).write(request('/a', '{"a":1}').slice(0, -3));
  assert.equal((await fetch(fixture.url)).status, 200);
  client.socket.end();
  assert.equal(await client.ended(), '');
  assert.equal((await fixture.post('/a', '{"a":2}')).status, 200);
  assert.deepEqual(
    fixture.rejected.map(([code]) => code),
    ['request_malformed'],
  );
  assert.deepEqual(records(fixture), [{ a: 2 }]);
});
