import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, type Socket, connect } from 'node:net';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { IdleConnections } from '#shared/net/idle-connections.ts';

const MAX = 3;
const GET = 'GET / HTTP/1.1\r\nHost:\r\n\r\n';
/** More than the system keeps for whoever does not read. */
const ANSWER = Buffer.alloc(32 * 1024 * 1024);

for (const requests of [1, 2]) {
  test(`connections whose answers nobody reads give way, with ${requests} requests on each`, async () => {
    const accepted: Socket[] = [];
    const asked: unknown[] = [];
    const server = createServer((request, response) => {
      asked.push(request);
      response.end(ANSWER);
    });
    const idle = new IdleConnections(server, MAX);
    server.prependListener('connection', (socket: Socket) => (accepted.push(socket), idle.opened(socket)));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const deaf: Socket[] = [];
    for (let i = 1; i <= 2 * MAX; i++) {
      const socket = connect(port, '127.0.0.1')
        .pause()
        .on('error', () => {});
      socket.write(GET.repeat(requests));
      deaf.push(socket);
      while (asked.length < i * requests) await turn();
    }
    while (!accepted.slice(0, MAX).every(({ closed }) => closed)) await turn();
    assert.deepEqual(
      accepted.slice(MAX).map(({ destroyed }) => destroyed),
      [false, false, false],
    );
    server.closeAllConnections();
    server.close();
    for (const socket of deaf) socket.destroy();
  });
}
