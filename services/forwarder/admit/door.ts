// What every connection passes before a byte of it is read, whichever input it comes to: it has a peer, its peer may connect, and there is
// room for one more. One place for all inputs, so that none of them can forget one of the questions.
//
// Guarantees: a connection that is not let in is destroyed and counted; one that is let in is counted until it is closed.

import type { Socket } from 'node:net';
import { peerAddress } from '#shared/networks.ts';
import type { InputName } from '../chunk.ts';
import type { AuthFailure, ConnectionEnd } from '../telemetry.ts';
import type { ConnectionLimit } from './connection-limit.ts';

export interface DoorTelemetry {
  authFailed(input: InputName, reason: AuthFailure, detail?: string): void;
  connectionEnded(input: InputName, reason: ConnectionEnd): void;
}

export interface DoorOptions {
  readonly input: InputName;
  /** Whether a connection from this address (of `peerAddress`) is read. */
  readonly admits: (address: string) => boolean;
  readonly limit: ConnectionLimit;
  readonly telemetry: DoorTelemetry;
}

export class Door {
  readonly #options: DoorOptions;

  constructor(options: DoorOptions) {
    this.#options = options;
  }

  /** The address of the peer; null for a connection that was not let in, and is destroyed. */
  enter(socket: Socket, listensOn: 'tcp' | 'unix'): string | null {
    const { input, admits, limit, telemetry } = this.#options;
    const address = peerAddress(socket.remoteAddress, listensOn);
    // It was reset before it was accepted: nobody is there to be let in.
    if (address === null) return refuse(socket);
    if (!admits(address)) {
      telemetry.authFailed(input, 'network_refused', address);
      return refuse(socket);
    }
    const permit = limit.enter(address);
    if (!permit) {
      telemetry.connectionEnded(input, 'too_many');
      return refuse(socket);
    }
    socket.once('close', () => permit[Symbol.dispose]());
    return address;
  }
}

function refuse(socket: Socket): null {
  socket.destroy();
  return null;
}
