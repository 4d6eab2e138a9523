// Which datagrams the UDP heartbeat answers: never what may be an answer itself, and so many a second of all addresses.

import assert from 'node:assert/strict';
import { type Socket, createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { isSenderPort, startUdpHeartbeat } from '#forwarder/accept/forward/udp-heartbeat.ts';
import { systemClock } from '#shared/clock.ts';
import { freePort } from '#test/backends/free-port.ts';
import { VirtualClock } from '#test/memory/clock.ts';

async function start(t: TestContext) {
  const clock = new VirtualClock();
  const port = await freePort();
  const counts = { asked: 0, answered: 0 };
  const answered = new Map<Socket, number>();
  const answers = (): boolean => {
    counts.asked += 1;
    return true;
  };
  const server = await startUdpHeartbeat({ kind: 'tcp', host: '127.0.0.1', port }, { answers, clock });
  t.after(() => server[Symbol.asyncDispose]());
  /** Resolves when the server has looked at all of them. */
  const beat = async (sender: Socket, count: number): Promise<void> => {
    for (let sent = 0; sent < count; sent += 1) {
      const until = counts.asked + 1;
      sender.send('x', port, '127.0.0.1');
      while (counts.asked < until) await systemClock.sleep(0);
    }
  };
  const sender = async (address: string, senderPort = 0): Promise<Socket> => {
    const socket = createSocket('udp4').bind(senderPort, address);
    t.after(() => socket.close());
    await once(socket, 'listening');
    socket.on('message', () => {
      counts.answered += 1;
      answered.set(socket, (answered.get(socket) ?? 0) + 1);
    });
    return socket;
  };
  return { clock, port, counts, answered, beat, sender };
}

test('what comes from our own port may be an answer, and has none', async (t) => {
  const { port, answered, beat, sender } = await start(t);
  const twin = await sender('127.0.0.2', port);
  const other = await sender('127.0.0.3');
  await beat(twin, 3);
  await beat(other, 1);
  // Whatever was answered before lies in the kernel when this one is there: the next turn reads it.
  while (!answered.has(other)) await systemClock.sleep(0);
  await systemClock.sleep(10);
  assert.equal(answered.get(twin), undefined);
});

test('ports of services have no answer, nor has none at all', () => {
  for (const port of [0, 7, 19, 53, 123, 1023, 24_224]) assert.equal(isSenderPort(port, 24_224), false, `${port}`);
  for (const port of [1024, 24_223, 24_225, 65_535]) assert.equal(isSenderPort(port, 24_224), true, `${port}`);
});

test('all addresses together have a thousand answers a second', async (t) => {
  const { clock, counts, beat, sender } = await start(t);
  const [one, two] = [await sender('127.0.0.2'), await sender('127.0.0.3')];
  for (let i = 0; i < 30; i += 1) {
    await beat(one, 20);
    await beat(two, 20);
  }
  await clock.advance(10);
  await beat(one, 20);
  // Of these ten are answered, and nothing comes behind the last of them.
  while (counts.answered < 1010) await systemClock.sleep(0);
  assert.equal(counts.answered, 1010);
});
