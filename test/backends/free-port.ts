// Ports for servers that a test starts. Between our close and the server's listen somebody else could take one.
// Connections do, where the kernel takes their own ports from the same range: brokers that look for each other while
// they start make dozens. So these lie below it.

import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Linux takes ports of connections from 32768 on; Sluice's own defaults lie from 24224 on. `fetch` refuses 10080, as
 * browsers do: a test that waited for an answer from there waited for ever.
 * https://fetch.spec.whatwg.org/#port-blocking
 */
const FIRST = 10_081;
const END = 24_000;
const given = new Set<number>();

/** A TCP port that was free on 127.0.0.1 a moment ago, and that this process gives once. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST, END);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
