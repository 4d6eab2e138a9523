// The connections of a Forward server: how they come to a session, by way of TLS and of the handshake where these are
// asked for. Who may connect is asked at the door (admit/door.ts), before a byte is read.

import { isIP, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import type { Clock } from '#shared/clock.ts';
import { UNIX_PEER } from '#shared/net/networks.ts';
import type { Admission, Peer } from '../../admit/admission.ts';
import type { Door } from '../../admit/door.ts';
import type { Logins } from '../../admit/login-limit.ts';
import { peerOf, tlsFailure, type TlsContext } from '../../admit/tls.ts';
import type { ForwarderTelemetry } from '../../intake/telemetry.ts';
import { ForwardHandshake } from './forward-handshake.ts';
import { ForwardSession } from './forward-session.ts';
import type { SessionOptions, SessionPeer } from './session-options.ts';

export interface ConnectionOptions {
  readonly admission: Admission;
  readonly door: Door;
  /** How often those may guess whose handshake is wrong, and how long they wait for their answer. */
  readonly logins: Logins;
  readonly telemetry: ForwarderTelemetry;
  readonly clock: Clock;
  /** Null: senders speak in the clear. */
  readonly tls: TlsContext | null;
  readonly serverName: string;
  readonly handshakeTimeoutMs: number;
  readonly session: SessionOptions;
}

/** How often timeouts are checked. */
const CHECK_INTERVAL_MS = 1000;

/** The name of one that says itself what it is called. No such name is an address: only who is there counts as that. */
function claimedName(hostname: string): string {
  return isIP(hostname) !== 0 || hostname === UNIX_PEER ? `hostname ${hostname}` : hostname;
}

export class ForwardConnections {
  readonly #options: ConnectionOptions;
  readonly #listensOn: 'tcp' | 'unix';
  readonly #tls: TlsServer | null;
  /** All sockets as they were accepted. */
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Set<ForwardSession>();
  #timer: Disposable | null = null;
  #isClosing = false;

  constructor(server: Server, listensOn: 'tcp' | 'unix', options: ConnectionOptions) {
    this.#options = options;
    this.#listensOn = listensOn;
    this.#tls = options.tls && listensOn === 'tcp' ? this.#tlsServer(options.tls) : null;
    server.on('connection', (socket) => this.#accept(socket));
  }

  /** Resolves when every session has its answers and is closed. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#timer?.[Symbol.dispose]();
    const sessions = [...this.#sessions].map((session) => session.close());
    await Promise.all(sessions);
    // Those that never came to a session.
    for (const socket of this.#sockets) socket.destroy();
    this.#options.door.close();
  }

  #accept(socket: Socket): void {
    const { door, telemetry, clock } = this.#options;
    socket.on('error', () => socket.destroy());
    if (this.#isClosing) {
      socket.destroy();
      return;
    }
    const address = door.enter(socket, this.#listensOn);
    if (address === null) return;
    this.#sockets.add(socket);
    telemetry.connectionOpened('forward');
    socket.on('close', () => {
      this.#sockets.delete(socket);
      telemetry.connectionClosed('forward');
    });
    this.#timer ??= clock.timer(CHECK_INTERVAL_MS, () => this.#checkTimeouts());
    if (this.#tls) this.#tls.emit('connection', socket);
    else this.#greet(socket, { address, certificateNames: [] });
  }

  #greet(socket: Socket, peer: Peer): void {
    const { admission, door, handshakeTimeoutMs, clock } = this.#options;
    const { address } = peer;
    const rate = door.rateOf(address);
    const { credentials } = admission;
    if (!credentials) {
      const principal = admission.principalOf(peer, null);
      this.#startSession(socket, { sender: address, address, rate, principal });
      return;
    }
    const limit = clock.timer(handshakeTimeoutMs, () => handshake.expire());
    socket.on('close', () => limit[Symbol.dispose]());
    const handshake = new ForwardHandshake(
      socket,
      { ...this.#options, credentials, peer: address },
      ({ user, hostname, unread }) => {
        limit[Symbol.dispose]();
        const principal = admission.principalOf(peer, user);
        this.#startSession(socket, { sender: claimedName(hostname), address, rate, principal, unread });
      },
    );
  }

  #startSession(socket: Socket, peer: SessionPeer): void {
    const { session: options, door } = this.#options;
    const debt = door.debtOf(peer.address, peer.principal.tenant);
    const session = new ForwardSession(socket, options, { ...peer, debt });
    this.#sessions.add(session);
    socket.on('close', () => this.#sessions.delete(session));
  }

  #checkTimeouts(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const session of this.#sessions) session.checkTimeouts(nowMs);
    this.#timer =
      this.#sockets.size === 0 ? null : this.#options.clock.timer(CHECK_INTERVAL_MS, () => this.#checkTimeouts());
  }

  /** Never listens: it makes TLS of connections that were let in. */
  #tlsServer(tls: TlsContext): TlsServer {
    const { telemetry, handshakeTimeoutMs: handshakeTimeout } = this.#options;
    const server = createTlsServer({ ...tls.options('reads'), handshakeTimeout, allowHalfOpen: true });
    tls.follow(server, 'reads');
    server.on('secureConnection', (socket) => {
      socket.on('error', () => socket.destroy());
      const peer = this.#isClosing ? null : peerOf(socket, 'tcp');
      if (peer) this.#greet(socket, peer);
      else socket.destroy();
    });
    server.on('tlsClientError', (error, socket) => {
      const { reason, peer, detail } = tlsFailure(error, socket);
      telemetry.authFailed('forward', reason, peer, detail);
      socket.destroy();
    });
    return server;
  }
}
