// A TCP proxy that can do to connections what networks do: cut them all, let nothing pass for a while, and break off in
// the middle of what the server says.

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  breaksOff: boolean;
}

export class Proxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #to: number;
  #stalled = false;

  private constructor(to: number) {
    this.#to = to;
    this.#server = createServer((client) => this.#join(client));
  }

  /** A proxy in front of a port of 127.0.0.1, on a port of its own. */
  static async start(to: number): Promise<Proxy> {
    const proxy = new Proxy(to);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    return address === null || typeof address === 'string' ? 0 : address.port;
  }

  /** Ends every connection with a reset, whatever is on its way. */
  cut(): void {
    for (const pair of this.#pairs) this.#end(pair);
  }

  /** Cuts each connection in the middle of the next bytes that its server sends. */
  breakOff(): void {
    for (const pair of this.#pairs) pair.breaksOff = true;
  }

  /** Lets nothing pass, either way, until `resume`. Connections that come meanwhile wait too. */
  stall(): void {
    this.#stalled = true;
    for (const { client, server } of this.#pairs) {
      client.pause();
      server.pause();
    }
  }

  resume(): void {
    this.#stalled = false;
    for (const { client, server } of this.#pairs) {
      client.resume();
      server.resume();
    }
  }

  #join(client: Socket): void {
    const pair: Pair = { client, server: connect(this.#to, '127.0.0.1'), breaksOff: false };
    const { server } = pair;
    this.#pairs.add(pair);
    client.on('data', (bytes: Buffer) => this.#pass(client, server, bytes));
    server.on('data', (bytes: Buffer) => {
      if (!pair.breaksOff) return this.#pass(server, client, bytes);
      client.write(bytes.subarray(0, bytes.length >> 1), () => this.#end(pair));
      server.pause();
    });
    client.on('end', () => server.end());
    server.on('end', () => client.end());
    for (const socket of [client, server]) {
      socket.setNoDelay();
      socket.on('error', () => this.#end(pair));
      socket.on('close', () => this.#end(pair));
      if (this.#stalled) socket.pause();
    }
  }

  #pass(from: Socket, to: Socket, bytes: Buffer): void {
    if (to.write(bytes)) return;
    from.pause();
    to.once('drain', () => {
      if (!this.#stalled) from.resume();
    });
  }

  #end(pair: Pair): void {
    if (!this.#pairs.delete(pair)) return;
    pair.client.resetAndDestroy();
    pair.server.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
