// The check that every connection passes before a byte of it is read, whichever input it comes to. Its peer must be
// known, must be allowed, must not connect too often, and there must be room for one more. It is one place for all
// inputs, so that none of them can forget a question.
//
// Guarantees: no byte of a refused connection is read. It is counted, and closed at once, or at a limited pace if its
// senders would come straight back. An admitted connection is counted until it is closed.

import type { Socket } from 'node:net';
import { peerAddress } from '#shared/net/networks.ts';
import type { InputName } from '../intake/chunk.ts';
import type { AuthFailure, ConnectionEnd } from '../intake/peer-telemetry.ts';
import type { AddressRate } from './address-rates.ts';
import type { ConnectionLimit } from './connection-limit.ts';
import type { EventDebt } from './event-debts.ts';

interface DoorTelemetry<Name> {
  authFailed(input: Name, reason: AuthFailure, peer: string): void;
  connectionEnded(input: Name, reason: ConnectionEnd, refusedPeer: string): void;
}

export interface DoorOptions<Name = InputName> {
  readonly input: Name;
  /** Whether a connection from this address (of `peerAddress`) is read. */
  readonly admits: (address: string) => boolean;
  readonly limit: ConnectionLimit;
  /** Null: no address has a rate. */
  readonly rates: { of(address: string): AddressRate | null } | null;
  /** Absent: any number of small events may come. */
  readonly debts?: { of(address: string, tenant: string | null): EventDebt | null };
  /** Null: what is refused is closed at once. */
  readonly pace: { hold(peer: string): Promise<void> } | null;
  readonly telemetry: DoorTelemetry<Name>;
}

export class Door<Name = InputName> {
  readonly #options: DoorOptions<Name>;
  /** Connections that were refused and are not closed yet. */
  readonly #refused = new Set<Socket>();

  constructor(options: DoorOptions<Name>) {
    this.#options = options;
  }

  /** The address of the peer; null for a refused connection, which only the door may touch. */
  enter(socket: Socket, listensOn: 'tcp' | 'unix'): string | null {
    const { input, admits, limit, rates, telemetry } = this.#options;
    const address = peerAddress(socket.remoteAddress, listensOn);
    // It was reset before it was accepted: there is no peer to admit.
    if (address === null) {
      socket.destroy();
      return null;
    }
    if (!admits(address)) {
      telemetry.authFailed(input, 'network_refused', address);
      return this.#refuse(socket, address);
    }
    if (rates?.of(address)?.connection() === false) {
      telemetry.connectionEnded(input, 'too_fast', address);
      return this.#refuse(socket, address);
    }
    const permit = limit.enter(address);
    if (!permit) {
      telemetry.connectionEnded(input, 'too_many', address);
      return this.#refuse(socket, address);
    }
    socket.once('close', () => permit[Symbol.dispose]());
    return address;
  }

  /** What the address may bring; null where it has no rate. */
  rateOf(address: string): AddressRate | null {
    return this.#options.rates?.of(address) ?? null;
  }

  /** How many small events it may bring for the tenant; null: any number. */
  debtOf(address: string, tenant: string | null): EventDebt | null {
    return this.#options.debts?.of(address, tenant) ?? null;
  }

  /** Closes what was refused. */
  close(): void {
    for (const socket of this.#refused) socket.destroy();
  }

  #refuse(socket: Socket, address: string): null {
    const { pace } = this.#options;
    if (pace === null) {
      socket.destroy();
      return null;
    }
    this.#refused.add(socket);
    socket.once('close', () => this.#refused.delete(socket));
    void pace.hold(address).then(() => socket.destroy());
    return null;
  }
}
