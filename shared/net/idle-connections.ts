// Prevents connections that ask nothing, or do not end what they ask, from shutting out those that do: above a number
// the oldest of them is closed. So a probe is answered, however many others keep connections open.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export class IdleConnections {
  readonly #max: number;
  /** The oldest first. */
  readonly #idle = new Map<unknown, Socket>();

  constructor(server: Server, max: number) {
    this.#max = max;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      const { socket } = request;
      const key = keyOf(socket);
      const came = (): void => void this.#idle.delete(key);
      if (hasBody(request)) request.once('end', came);
      else came();
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

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** The same for a connection and for what TLS makes of it. */
function keyOf(socket: Socket): unknown {
  return socket.remotePort === undefined ? socket : `${socket.remoteAddress} ${socket.remotePort}`;
}
