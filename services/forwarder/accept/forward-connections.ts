// The connections of a Forward server: how many there may be, from whom, and how they come to a session, by way of TLS and of the
// handshake where these are asked for. A connection that may not be is closed before a byte of it is read.

import type { Server, Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer, TLSSocket } from 'node:tls';
import type { Clock } from '#shared/clock.ts';
import { reasonOf } from '#shared/errors.ts';
import { peerAddress } from '#shared/networks.ts';
import type { Admission, Peer } from '../admit/admission.ts';
import { peerOf, type TlsContext } from '../admit/tls.ts';
import type { ForwarderTelemetry } from '../telemetry.ts';
import { ForwardHandshake } from './forward-handshake.ts';
import { ForwardSession, type SessionOptions, type SessionPeer } from './forward-session.ts';

export interface ConnectionOptions {
  readonly admission: Admission;
  readonly telemetry: ForwarderTelemetry;
  readonly clock: Clock;
  /** Null: senders speak in the clear. */
  readonly tls: TlsContext | null;
  readonly serverName: string;
  readonly connectionsMax: number;
  readonly connectionsPerAddressMax: number;
  readonly handshakeTimeoutMs: number;
  readonly session: SessionOptions;
}

/** How often connections are looked at. */
const LOOK_INTERVAL_MS = 1000;

export class ForwardConnections {
  readonly #options: ConnectionOptions;
  readonly #isUnix: boolean;
  readonly #tls: TlsServer | null;
  /** All sockets as they were accepted, and how many there are of each address. */
  readonly #sockets = new Set<Socket>();
  readonly #byAddress = new Map<string, number>();
  readonly #sessions = new Set<ForwardSession>();
  /** Those that are about to be closed, and count no more. */
  readonly #refused = new Set<Socket>();
  #timer: Disposable | null = null;
  #isClosing = false;

  constructor(server: Server, isUnix: boolean, options: ConnectionOptions) {
    this.#options = options;
    this.#isUnix = isUnix;
    this.#tls = options.tls && !isUnix ? this.#tlsServer(options.tls) : null;
    server.on('connection', (socket) => this.#accept(socket));
  }

  /** Resolves when every session has its answers and is closed. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#timer?.[Symbol.dispose]();
    const sessions = [...this.#sessions].map((session) => session.close());
    await Promise.all(sessions);
    // Those that never came to a session.
    for (const socket of [...this.#sockets, ...this.#refused]) socket.destroy();
  }

  #accept(socket: Socket): void {
    const { telemetry, admission, connectionsMax, connectionsPerAddressMax } = this.#options;
    const address = this.#isUnix ? 'unix' : socket.remoteAddress && peerAddress(socket.remoteAddress);
    socket.on('error', () => socket.destroy());
    if (!address || this.#isClosing) {
      socket.destroy();
      return;
    }
    const ofAddress = this.#byAddress.get(address) ?? 0;
    if (!admission.admits(address)) {
      telemetry.authFailed('forward', 'network_refused', address);
      this.#refuse(socket, address);
    } else if (this.#sockets.size >= connectionsMax || ofAddress >= connectionsPerAddressMax) {
      telemetry.connectionEnded('forward', 'too_many');
      this.#refuse(socket, address);
    } else {
      this.#enter(socket, address, ofAddress + 1);
    }
  }

  /** Not a byte of it is read. */
  #refuse(socket: Socket, address: string): void {
    const { pace } = this.#options.session;
    if (pace === undefined) {
      socket.destroy();
      return;
    }
    this.#refused.add(socket);
    socket.on('close', () => this.#refused.delete(socket));
    void pace.hold(address).then(() => socket.destroy());
  }

  #enter(socket: Socket, address: string, ofAddress: number): void {
    const { telemetry, clock } = this.#options;
    this.#sockets.add(socket);
    this.#byAddress.set(address, ofAddress);
    telemetry.connectionOpened('forward');
    socket.on('close', () => {
      this.#sockets.delete(socket);
      const left = (this.#byAddress.get(address) ?? 1) - 1;
      if (left > 0) this.#byAddress.set(address, left);
      else this.#byAddress.delete(address);
      telemetry.connectionClosed('forward');
    });
    this.#timer ??= clock.timer(LOOK_INTERVAL_MS, () => this.#look());
    if (this.#tls) this.#tls.emit('connection', socket);
    else this.#greet(socket, { address, certificateNames: [] });
  }

  #greet(socket: Socket, peer: Peer): void {
    const { admission, handshakeTimeoutMs, clock } = this.#options;
    const { credentials } = admission;
    if (!credentials) {
      this.#begin(socket, { sender: peer.address, principal: admission.principalOf(peer, null) });
      return;
    }
    const limit = clock.timer(handshakeTimeoutMs, () => handshake.expire());
    socket.on('close', () => limit[Symbol.dispose]());
    const handshake = new ForwardHandshake(socket, { ...this.#options, credentials }, ({ user, hostname, unread }) => {
      limit[Symbol.dispose]();
      this.#begin(socket, { sender: hostname, principal: admission.principalOf(peer, user), unread });
    });
  }

  #begin(socket: Socket, peer: SessionPeer): void {
    const session = new ForwardSession(socket, this.#options.session, peer);
    this.#sessions.add(session);
    socket.on('close', () => this.#sessions.delete(session));
  }

  #look(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const session of this.#sessions) session.look(nowMs);
    this.#timer = this.#sockets.size === 0 ? null : this.#options.clock.timer(LOOK_INTERVAL_MS, () => this.#look());
  }

  /** Never listens: it makes TLS of connections that were let in. */
  #tlsServer(tls: TlsContext): TlsServer {
    const { telemetry, handshakeTimeoutMs: handshakeTimeout } = this.#options;
    const server = createTlsServer({ ...tls.options('reads'), handshakeTimeout, allowHalfOpen: true });
    tls.follow(server, 'reads');
    server.on('secureConnection', (socket) => {
      socket.on('error', () => socket.destroy());
      if (this.#isClosing) socket.destroy();
      else this.#greet(socket, peerOf(socket));
    });
    server.on('tlsClientError', (error, socket) => {
      const isCertificate = socket instanceof TLSSocket && Boolean(socket.authorizationError);
      telemetry.authFailed('forward', isCertificate ? 'certificate_refused' : 'tls_failed', reasonOf(error));
      socket.destroy();
    });
    return server;
  }
}
