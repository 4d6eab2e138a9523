// The server around the sessions: where it listens, the UDP heartbeat beside it, and what it takes with it when it
// ends.

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { startForwardServer } from '#forwarder/accept/forward/forward-server.ts';
import { freePort } from '#test/backends/free-port.ts';
import { FakeIntake } from './fake-intake.ts';
import { forwardOptions } from './forward-options.ts';

async function start(port: number) {
  const intake = new FakeIntake();
  const server = await startForwardServer(`127.0.0.1:${port}`, forwardOptions(intake));
  return { intake, server };
}

test('whatever comes by UDP is a heartbeat, answered by one zero byte', async () => {
  const port = await freePort();
  const { server } = await start(port);
  const sender = createSocket('udp4');
  for (const heartbeat of [Buffer.of(0), Buffer.of(), Buffer.from('anything')]) {
    sender.send(heartbeat, port, '127.0.0.1');
    const [answer] = (await once(sender, 'message')) as [Buffer];
    assert.deepEqual([...answer], [0]);
  }
  sender.close();
  await server.close();
});

test('a UDP port in use is told as such, and the TCP port is free again', async () => {
  const port = await freePort();
  const other = createSocket('udp4').bind(port, '127.0.0.1');
  await once(other, 'listening');
  const failure = start(port);
  await assert.rejects(failure, { code: 'listen_failed' });
  const tcp = createServer().listen(port, '127.0.0.1');
  await once(tcp, 'listening');
  tcp.close();
  other.close();
});

// Docker's driver without acks, and most loggers, never read from their socket: they do not see that it was closed.
test('the end does not wait for a peer that keeps its side open', { timeout: 20_000 }, async (t) => {
  const port = await freePort();
  const { intake, server } = await start(port);
  const peer = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  peer.on('error', () => undefined);
  t.after(() => peer.destroy());
  peer.write(encode(['app', 1_700_000_000, { log: '1' }, { chunk: 'x' }]));
  await intake.arrived(1);
  await once(peer, 'data');
  await server.close();
});

test('the end does not wait for a peer that reads no answers', { timeout: 20_000 }, async (t) => {
  const port = await freePort();
  const { intake, server } = await start(port);
  const peer = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  peer.on('error', () => undefined);
  t.after(() => peer.destroy());
  peer.pause();
  const frame = encode(['app', 1_700_000_000, { log: '1' }, { chunk: 'x'.repeat(1000) }]);
  for (let i = 0; i < 10_000; i++) peer.write(frame);
  await intake.arrived(100);
  await server.close();
});
