// Listens for a protocol without acks on TCP, TLS or a unix socket, and gives each connection a session.

import { type Server, type Socket, createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { AcceptedSockets } from '#shared/net/accepted-sockets.ts';
import type { Clock } from '#shared/clock.ts';
import { type ListenAddress, listenOn } from '#shared/net/listen-address.ts';
import type { Admit } from '../../admit/admission.ts';
import type { Door } from '../../admit/door.ts';
import { peerOf, tlsFailure, type TlsContext } from '../../admit/tls.ts';
import type { InputName } from '../../intake/chunk.ts';
import type { ConnectionEnd } from '../../intake/peer-telemetry.ts';
import type { ForwarderTelemetry } from '../../intake/telemetry.ts';
import { isHttpRequest } from '../http/browser.ts';
import { BufferedMessages } from './buffered-messages.ts';
import type { StreamDecoder } from './stream-decoder.ts';
import { StreamSession } from './stream-session.ts';
import { TurnBytes } from '../turns/turn-bytes.ts';
import { Turns } from '../turns/step-scheduler.ts';
import { STOP_TAKING_MS } from './unacked-input.ts';
import type { Unacked } from './unacked-retry.ts';
import { UnreadRests } from './unread-rests.ts';

export interface StreamServerOptions {
  readonly input: InputName;
  readonly tag: string;
  readonly door: Door;
  readonly admit: Admit;
  readonly newDecoder: (sender: string) => StreamDecoder;
  /** What of all connections may be decoded in one turn of the event loop. */
  readonly turnBytesMax: number;
  readonly unacked: Unacked;
  readonly telemetry: ForwarderTelemetry;
  readonly clock: Clock;
  /** Null: without TLS. */
  readonly tls: TlsContext | null;
}

export interface StreamServer {
  readonly address: ListenAddress;
  /**
   * Takes no new connections; resolves when what was sent so far is read, as far as there is time for it, and every
   * connection closed. What was read and not taken in time is counted as dropped, an event for each connection.
   */
  close(): Promise<void>;
}

/** Of messages that are not whole, of all connections together. */
const HELD_BYTES_MAX = 16 * 1024 * 1024;
/** Of what was read and waits for its turn, of all connections together. */
const REST_BYTES_MAX = 8 * 1024 * 1024;
/** For a message to come whole, as a frame of the Forward protocol has at first. */
const MESSAGE_TIMEOUT_MS = 300_000;
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** How long a stop reads what was sent. */
const STOP_READING_MS = 4000;

const BROWSER = 'Cannot take a request by HTTP: a page in a browser may have had it made';

/** Rejects with listen_failed. */
export async function startStreamServer(listen: ListenAddress, options: StreamServerOptions): Promise<StreamServer> {
  const { input, tag, door, admit, newDecoder, turnBytesMax, unacked, telemetry, clock, tls } = options;
  const sessions = new Set<StreamSession>();
  let isClosing = false;
  const hasRoom = (): boolean => unacked.hasRoom;
  const held = new BufferedMessages({ bytesMax: HELD_BYTES_MAX, timeoutMs: MESSAGE_TIMEOUT_MS, clock, hasRoom });
  const rests = new UnreadRests(REST_BYTES_MAX);
  const turns = new Turns(clock);
  const turnBytes = new TurnBytes(turnBytesMax);
  const ended = (reason: ConnectionEnd): void => telemetry.connectionEnded(input, reason);
  const server = tls ? tlsServer(tls) : createServer(SOCKET_OPTIONS);
  server.on('connection', (socket: Socket) => door.enter(socket, listen.kind));
  const accepted = new AcceptedSockets(server);
  server.on('tlsClientError', (error: Error, socket: Socket) => {
    const { reason, peer, detail } = tlsFailure(error, socket);
    telemetry.authFailed(input, reason, peer, detail);
    socket.destroy();
  });
  server.on(tls ? 'secureConnection' : 'connection', (socket: Socket) => {
    // Destroyed at the door, or gone since.
    const peer = socket.destroyed ? null : peerOf(socket, listen.kind);
    const principal = peer && admit(peer);
    // Who ends a handshake while we stop would be ended by nobody.
    if (!peer || !principal || isClosing) {
      socket.destroy();
      return;
    }
    const sender = peer.address;
    // Before the session has it.
    socket.once('data', (piece: Buffer) => {
      if (!isHttpRequest(piece)) return;
      telemetry.chunkRejected(input, 'origin_refused', BROWSER, sender);
      socket.destroy();
    });
    const decoder = newDecoder(sender);
    const rate = door.rateOf(sender);
    const debt = door.debtOf(sender, principal.tenant);
    const from = { sender, principal, rate, debt, input, tag };
    const shared = { unacked, clock, held, rests, turns, turnBytes, ended };
    const session = new StreamSession(socket, { ...from, ...shared, decoder });
    sessions.add(session);
    telemetry.connectionOpened(input);
    void session.closed.then(() => {
      sessions.delete(session);
      telemetry.connectionClosed(input);
    });
  });
  const address = await listenOn(server, listen);
  return {
    address,
    async close() {
      isClosing = true;
      const closed = new Promise((resolve) => server.close(resolve));
      await closeSessions(sessions, options);
      // Those whose handshake has not ended.
      accepted.destroyAll();
      await closed;
    },
  };
}

/** Resolves when all are closed. What was read and could not be taken in time is counted as dropped. */
async function closeSessions(
  sessions: ReadonlySet<StreamSession>,
  { clock, telemetry, input }: StreamServerOptions,
): Promise<void> {
  using _reading = clock.timer(STOP_READING_MS, () => {
    for (const session of sessions) session.stopReading();
  });
  using _taking = clock.timer(STOP_TAKING_MS, () => {
    const left = [...sessions].map((session) => session.giveUp()).filter((bytes) => bytes > 0);
    const bytes = left.reduce((sum, each) => sum + each, 0);
    if (bytes > 0) telemetry.dropped(input, left.length, bytes, 'shutting_down');
  });
  await Promise.all([...sessions].map((session) => session.close()));
}

/**
 * Of a connection that is paused Node reads on until it has so much: then it has one read at most (64 KiB), and not
 * many small ones.
 */
const READ_AHEAD_BYTES = 1;
const SOCKET_OPTIONS = { keepAlive: true, keepAliveInitialDelay: 60_000, highWaterMark: READ_AHEAD_BYTES };

function tlsServer(tls: TlsContext): Server {
  const server = createTlsServer({
    ...SOCKET_OPTIONS,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    ...tls.options('only_writes'),
  });
  tls.follow(server, 'only_writes');
  return server;
}
