// The connections of a server as they were accepted. A server that speaks TLS announces them only when their handshakes
// have ended: a stop that closes what was announced would wait for a peer that never ends its handshake, as Node's own
// `close` does.
//
// Guarantee: after `destroyAll` the server keeps no connection that was accepted before.

import type { Server, Socket } from 'node:net';

export class AcceptedSockets {
  readonly #open = new Set<Socket>();

  constructor(server: Server) {
    server.on('connection', (socket: Socket) => {
      if (socket.destroyed) return;
      this.#open.add(socket);
      socket.once('close', () => this.#open.delete(socket));
    });
  }

  destroyAll(): void {
    for (const socket of this.#open) socket.destroy();
  }
}
