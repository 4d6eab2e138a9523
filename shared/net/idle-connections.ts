// Prevents connections that ask nothing, do not end what they ask, or do not read what they are told from shutting out
// the others: above a number, the oldest of them is closed. So a probe is answered, however many others keep
// connections open.
//
// Guarantee: a connection is never closed here while an answer of its own is being made for a request that came whole.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

interface Asked {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

interface Connection {
  readonly socket: Socket;
  readonly inHand: Set<Asked>;
}

export class IdleConnections {
  readonly #max: number;
  /** Those whose last answer was sent longest ago first. There are few. */
  readonly #connections = new Map<unknown, Connection>();

  constructor(server: Server, max: number) {
    this.#max = max;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      const key = keyOf(request.socket);
      const connection = this.#connections.get(key);
      if (!connection) return;
      const asked = { request, response };
      connection.inHand.add(asked);
      response.once('close', () => {
        connection.inHand.delete(asked);
        if (this.#connections.get(key) !== connection) return;
        this.#connections.delete(key);
        this.#add(key, connection);
      });
    });
  }

  /** A connection as it was accepted, before any TLS. */
  opened(socket: Socket): void {
    const key = keyOf(socket);
    const connection = { socket, inHand: new Set<Asked>() };
    socket.once('close', () => {
      if (this.#connections.get(key) === connection) this.#connections.delete(key);
    });
    this.#add(key, connection);
  }

  #add(key: unknown, connection: Connection): void {
    this.#connections.set(key, connection);
    const idle = [...this.#connections.values()].filter(isIdle);
    if (idle.length > this.#max) idle[0]?.socket.destroy();
  }
}

/** Whether nothing is being done for it. */
function isIdle({ socket, inHand }: Connection): boolean {
  if (socket.destroyed) return false;
  for (const { request, response } of inHand) if (isWhole(request) && !response.writableEnded) return false;
  return true;
}

/** Whether all of it has come; who answers it need not have read its body. */
function isWhole({ headers, complete }: IncomingMessage): boolean {
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  return complete || !hasBody;
}

/** The same for a connection and for what TLS makes of it. */
function keyOf(socket: Socket): unknown {
  return socket.remotePort === undefined ? socket : `${socket.remoteAddress} ${socket.remotePort}`;
}
