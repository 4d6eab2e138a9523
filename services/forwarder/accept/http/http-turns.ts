// The share of all HTTP requests in a turn of the event loop: however many bodies come whole in one, only so many are
// converted in it, and those beyond wait in a line of their sender. Who is alone never waits for a small body.
//
// Guarantees: as turn-bytes.ts has it; whoever has gone meanwhile is told so, and nothing is done for him.

import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { SluiceError } from '#shared/errors.ts';
import { TurnBytes } from '../turns/turn-bytes.ts';

/** Bytes of what costs most, OTLP in JSON: 4 to 6 ms. */
const HTTP_TURN_BYTES = 24 * 1024;
/** What a request costs beside its body: some 150 µs. */
export const REQUEST_TURN_BYTES = 1024;
/** What is small is decompressed in place, and gives 128 KiB at most: 120 µs. */
export const UNPACK_TURN_BYTES = 1024;
/** What a chunk costs on its way to intake: 15 to 30 µs. */
export const CHUNK_TURN_BYTES = 128;

/** Of each connection that waits, or has waited. */
const gone = new WeakMap<Socket, AbortSignal>();

export class HttpTurns {
  readonly #turn = new TurnBytes(HTTP_TURN_BYTES, 0);

  /**
   * Resolves when work of so many bytes may be done for the request. Rejects with request_malformed where its
   * connection is closed.
   */
  async wait(bytes: number, sender: string, { socket }: IncomingMessage): Promise<void> {
    if (this.#turn.take(bytes)) return;
    if (!socket.destroyed) await this.#turn.wait(bytes, sender, goneOf(socket));
    if (socket.destroyed) {
      throw new SluiceError('request_malformed', 'Cannot take events: the connection was closed');
    }
  }
}

/** Aborted when the connection is closed; one for each, for a connection may have several requests in hand. */
function goneOf(socket: Socket): AbortSignal {
  const known = gone.get(socket);
  if (known) return known;
  const controller = new AbortController();
  socket.once('close', () => controller.abort());
  gone.set(socket, controller.signal);
  return controller.signal;
}
