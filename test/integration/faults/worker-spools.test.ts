// A forwarder as two processes while Kafka is away: each has a spool, and a replacement of both leaves none of them
// without an owner.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freePort } from '#test/backends/free-port.ts';
import { newPlace, SluiceProcess } from '../parts/sluice-process.ts';

test('SIGHUP leaves no spool without an owner: all that was acked stays counted', async () => {
  await using place = await newPlace();
  const environment = { SLUICE_KAFKA_BROKERS: `127.0.0.1:${await freePort()}` };
  await using forwarder = new SluiceProcess(['forwarder', '--workers', '2'], place, environment);
  await forwarder.ready();
  let acked = 0;
  const send = async (): Promise<void> => {
    const headers = { 'content-type': 'application/json', connection: 'close' };
    const answer = await fetch(`http://127.0.0.1:${place.http}/app`, { method: 'POST', headers, body: '{"n":1}' });
    assert.equal(answer.status, 200);
    acked++;
  };
  // Connections go to each in turn, so that both have a spool.
  for (let n = 0; n < 20; n++) await send();
  const spooled = (): Promise<number> => forwarder.metric('events_spooled');
  await forwarder.until(async () => (await spooled()) === acked);
  for (let round = 1; round <= 2; round++) {
    process.kill(forwarder.pid ?? 0, 'SIGHUP');
    await forwarder.until(async () => (await forwarder.metric('worker_restarts_total')) === 2 * round);
    await forwarder.until(async () => (await spooled()) === acked);
    await send();
  }
  await forwarder.until(async () => (await spooled()) === acked);
  assert.equal(await forwarder.metric('spools_left'), 0);
  assert.equal((await forwarder.stop()).code, 0);
});
