// The first moments of a connection that has to show who it is: HELO, PING, PONG (decode/forward/handshake.ts), and
// then a session.
//
// Guarantees: before its PING is found right nothing is read of it but that frame, of a few KiB; the nonce is of this
// connection alone, so that no PING serves twice; whatever was wrong, the answer is the same, and the connection is
// closed. Where its address has guessed too often nothing is compared and there is no answer: whoever has the key takes
// that for a broken connection, and comes again.

import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Clock } from '#shared/clock.ts';
import { FrameScanner, NEED_MORE } from '#shared/msgpack/frame-scanner.ts';
import type { Credentials } from '../../admit/credentials.ts';
import type { Logins } from '../../admit/login-limit.ts';
import type { User } from '../../admit/users.ts';
import {
  decodePing,
  encodeHelo,
  encodePong,
  encodeRefusal,
  handshakeDigest,
  NONCE_BYTES,
  PING_BYTES_MAX,
  type Ping,
} from '../../decode/forward/handshake.ts';
import type { AuthFailure } from '../../intake/peer-telemetry.ts';
import type { ForwarderTelemetry } from '../../intake/telemetry.ts';

export interface HandshakeOptions {
  readonly credentials: Credentials;
  readonly telemetry: ForwarderTelemetry;
  readonly clock: Clock;
  /** Address of who shakes hands. */
  readonly peer: string;
  readonly logins: Logins;
  /** How we call ourselves; must not be a sender's hostname, for fluentd takes that for a loop. */
  readonly serverName: string;
}

export interface Introduced {
  readonly user: User | null;
  readonly hostname: string;
  /** What came behind its PING. */
  readonly unread: Buffer;
}

const REFUSAL = encodeRefusal('the shared key, the user or the password is wrong');
/** How long, and how much, a refused peer is listened to so that it can read why. */
const LINGER_MS = 1000;
const LINGER_BYTES_MAX = 64 * 1024;

/** Calls `admitted` when the peer has shown who it is, with the socket paused and without listeners for its data. */
export class ForwardHandshake {
  readonly #socket: Socket;
  readonly #options: HandshakeOptions;
  readonly #admitted: (introduced: Introduced) => void;
  readonly #nonce = randomBytes(NONCE_BYTES);
  readonly #authSalt: Buffer | null;
  readonly #scanner = new FrameScanner({ frameBytesMax: PING_BYTES_MAX, depthMax: 4 });
  #isDone = false;
  readonly #onData = (piece: Buffer): void => this.#take(piece);
  readonly #onEnd = (): void => void this.#socket.destroy();

  constructor(socket: Socket, options: HandshakeOptions, admitted: (introduced: Introduced) => void) {
    this.#socket = socket;
    this.#options = options;
    this.#admitted = admitted;
    this.#authSalt = options.credentials.asksForUsers ? randomBytes(NONCE_BYTES) : null;
    socket.on('data', this.#onData).on('end', this.#onEnd);
    socket.write(encodeHelo(this.#nonce, this.#authSalt));
  }

  /** It took too long. */
  expire(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    const { telemetry, peer } = this.#options;
    telemetry.authFailed('forward', 'handshake_timeout', peer);
    this.#socket.destroy();
  }

  #take(piece: Buffer): void {
    this.#scanner.push(piece);
    const frame = this.#scanner.next();
    if (frame === NEED_MORE) return;
    this.#isDone = true;
    this.#socket.pause().off('data', this.#onData).off('end', this.#onEnd);
    const ping = Buffer.isBuffer(frame) ? decodePing(frame) : null;
    if (ping) this.#verify(ping);
    else void this.#refuse('handshake_malformed', this.#options.logins.hold(this.#options.peer));
  }

  #verify(ping: Ping): void {
    const { credentials, serverName, logins, peer } = this.#options;
    if (!logins.mayLook(peer)) {
      void this.#turnAway();
      return;
    }
    const verdict = credentials.verify(ping, this.#nonce, this.#authSalt);
    if (verdict.kind === 'refused') {
      void this.#refuse(verdict.reason, logins.wrong(peer));
      return;
    }
    const digest = handshakeDigest(ping.salt, serverName, this.#nonce, credentials.sharedKey);
    this.#socket.write(encodePong(serverName, digest));
    const unread = Buffer.concat(this.#scanner.takeUnread());
    this.#admitted({ user: verdict.user, hostname: ping.hostname.toString('utf8'), unread });
  }

  /** At a pace, for some senders come back at once. */
  async #turnAway(): Promise<void> {
    const { telemetry, logins, peer } = this.#options;
    telemetry.authFailed('forward', 'login_limited', peer);
    await logins.hold(peer);
    this.#socket.destroy();
  }

  /** The later, the more often this peer was refused; it is not read meanwhile. */
  async #refuse(reason: AuthFailure, answerable: Promise<void>): Promise<void> {
    const socket = this.#socket;
    const { telemetry, peer } = this.#options;
    telemetry.authFailed('forward', reason, peer);
    await answerable;
    socket.end(REFUSAL);
    // Unread input would turn the end into a reset, which can take the answer with it.
    let bytes = 0;
    socket.on('data', (piece: Buffer) => {
      bytes += piece.length;
      if (bytes > LINGER_BYTES_MAX) socket.destroy();
    });
    socket.on('end', () => socket.destroy()).resume();
    this.#options.clock.timer(LINGER_MS, () => socket.destroy());
  }
}
