// Ports for servers that a test starts. The kernel gives one that is free; between our close and the server's listen another
// process could take it, which the kernel makes unlikely by handing ports out in turn.

import { once } from 'node:events';
import { createServer } from 'node:net';

/** A TCP port that was free on 127.0.0.1 a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('Cannot find a free port: no address was given');
  return address.port;
}
