// Prevents connections that ask nothing from shutting out those that do: above a number the oldest idle one is closed.
// So a probe is answered, however many others keep connections open.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export class IdleConnections {
  readonly #max: number;
  /** The oldest first. */
  readonly #idle = new Map<unknown, Socket>();

  constructor(server: Server, max: number) {
    this.#max = max;
    server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
      const key = keyOf(socket);
      this.#idle.delete(key);
      response.once('close', () => {
        if (!socket.destroyed) this.#add(key, socket);
      });
    });
  }

  /** A connection as it was accepted, before any TLS. */
  opened(socket: Socket): void {
    const key = keyOf(socket);
    socket.once('close', () => this.#idle.delete(key));
    this.#add(key, socket);
  }

  #add(key: unknown, socket: Socket): void {
    this.#idle.set(key, socket);
    const [oldest] = this.#idle.values();
    if (this.#idle.size > this.#max) oldest?.destroy();
  }
}

/** The same for a connection and for what TLS makes of it. */
function keyOf(socket: Socket): unknown {
  return socket.remotePort === undefined ? socket : `${socket.remoteAddress} ${socket.remotePort}`;
}
