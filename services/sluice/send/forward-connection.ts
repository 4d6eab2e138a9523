// One connection to a forwarder, as a sender of the Forward protocol: shakes hands where it is asked to, sends a chunk,
// and waits for its ack.
//
// Guarantees: a chunk counts as held only by an ack of its own id. Whatever else comes, or nothing for a while, ends
// the connection, and the chunk has to be sent again.

import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { decodeAck, decodeHelo, decodePong, encodePing, isPongOf } from '#forwarder/decode/forward/forward-client.ts';
import { SluiceError } from '#shared/errors.ts';
import { FrameScanner, NEED_MORE } from '#shared/msgpack/frame-scanner.ts';
import { printAddress } from '#shared/net/listen-address.ts';
import { connectOwn, type OwnAddress } from '#shared/net/own-connection.ts';

/** A forwarder whose queue is slow answers late; it has the chunk's name, so it does no harm to send it again. */
const ANSWER_MS = 60_000;
const CONNECT_MS = 10_000;
/** Nothing that a forwarder says is larger. */
const ANSWER_BYTES_MAX = 16 * 1024;

export interface ForwardTarget extends OwnAddress {
  readonly sharedKey: string | undefined;
  /** Whether senders have to log in as users, which this one cannot. */
  readonly asksForUsers: boolean;
  /** Of this machine. */
  readonly hostname: string;
}

export class ForwardConnection implements Disposable {
  readonly #socket: Socket;
  readonly #scanner = new FrameScanner({ frameBytesMax: ANSWER_BYTES_MAX, depthMax: 4 });
  readonly #signal: AbortSignal;
  #wake: (() => void) | null = null;
  #failure: Error | null = null;

  private constructor(socket: Socket, signal: AbortSignal) {
    this.#socket = socket;
    this.#signal = signal;
    socket.on('data', (piece: Buffer) => {
      this.#scanner.push(piece);
      this.#wake?.();
    });
    socket.on('error', (error) => this.#end(error));
    socket.on('close', () => this.#end(new Error('it closed the connection without an ack')));
    socket.setTimeout(ANSWER_MS, () => this.#end(new Error(`no ack in ${ANSWER_MS / 1000} s`)));
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Rejects where nobody listens, or this sender is not admitted. */
  static async open(target: ForwardTarget, signal: AbortSignal): Promise<ForwardConnection> {
    const socket = await connectOwn(target, { signal, timeoutMs: CONNECT_MS });
    const connection = new ForwardConnection(socket, signal);
    try {
      if (target.sharedKey !== undefined || target.asksForUsers) await connection.#introduce(target);
      return connection;
    } catch (error) {
      connection[Symbol.dispose]();
      throw error;
    }
  }

  /** Resolves when the chunk is acknowledged: the forwarder's queue holds it. */
  async deliver(frame: Uint8Array, chunk: string): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    this.#socket.write(frame);
    const answer = await this.#answer();
    if (decodeHelo(answer) !== null)
      throw new Error('it asks for a shared key or a user; set SLUICE_SHARED_KEY as it has');
    if (decodeAck(answer) !== chunk) throw new Error('it answered something that is no ack');
  }

  [Symbol.dispose](): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#end(new Error('the connection is over'));
  }

  async #introduce({ sharedKey: key = '', hostname, address }: ForwardTarget): Promise<void> {
    const helo = decodeHelo(await this.#answer());
    if (helo === null) throw new Error('it speaks another protocol');
    if (helo.asksForUser) {
      throw new SluiceError(
        'unauthorized',
        `Cannot log in at ${printAddress(address)}: it asks for users; name a forwarder that does not with --to`,
      );
    }
    const facts = { hostname, salt: randomBytes(16).toString('hex'), key };
    this.#socket.write(encodePing(helo, facts));
    const pong = decodePong(await this.#answer());
    if (pong?.isAdmitted === false) throw new Error(pong.reason);
    if (pong === null || !isPongOf(pong, helo, facts)) throw new Error('it does not know the shared key');
  }

  async #answer(): Promise<Buffer> {
    for (;;) {
      const frame = this.#scanner.next();
      if (Buffer.isBuffer(frame)) return frame;
      if (frame !== NEED_MORE) throw new Error('it answered something that is no msgpack');
      if (this.#failure !== null) throw this.#failure;
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = null;
    }
  }

  readonly #onAbort = (): void => this.#end(new Error('it took too long'));

  #end(error: Error): void {
    this.#failure ??= error;
    this.#socket.destroy();
    this.#wake?.();
  }
}
