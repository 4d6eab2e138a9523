// Peers that do no good: some send a frame that never ends, a byte a second; others send garbage, and come again when
// they are closed.

import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { encode } from '@msgpack/msgpack';

export interface CrowdSize {
  readonly slow: number;
  readonly garbage: number;
}

/** Slow ones take turns within each second. */
const TURNS_PER_SECOND = 10;
const GARBAGE_BYTES = 4096;
const COME_AGAIN_MS = 2000;
/** Connections that are being made at a time, so that none is refused for want of a backlog. */
const CONNECTING_MAX = 100;

export class Crowd implements AsyncDisposable {
  readonly #port: number;
  readonly #slow: Socket[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #frame = Buffer.from(encode(['slow', 1_700_000_000, { log: 'x'.repeat(100_000) }]));
  #sentBytes = 0;
  #turn = 0;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;
  /** Times that a slow one was closed by the other side. */
  slowClosed = 0;
  garbageClosed = 0;

  constructor(port: number) {
    this.#port = port;
  }

  /** Resolves when all of them are connected. */
  async come({ slow, garbage }: CrowdSize): Promise<this> {
    for (let i = 0; i < slow; i += CONNECTING_MAX) {
      const batch = Array.from({ length: Math.min(CONNECTING_MAX, slow - i) }, () => this.#connected());
      for (const socket of await Promise.all(batch)) {
        socket.on('close', () => (this.slowClosed += 1));
        this.#slow.push(socket);
      }
    }
    for (let i = 0; i < garbage; i++) this.#sendGarbage();
    this.#timer = setInterval(() => this.#sendSlowly(), 1000 / TURNS_PER_SECOND);
    return this;
  }

  #open(): Socket {
    const socket = connect(this.#port, '127.0.0.1');
    this.#sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => this.#sockets.delete(socket));
    return socket.resume();
  }

  #connected(): Promise<Socket> {
    return new Promise((resolve) => {
      const socket = this.#open();
      socket.once('connect', () => resolve(socket)).once('close', () => resolve(socket));
    });
  }

  #sendSlowly(): void {
    this.#turn = (this.#turn + 1) % TURNS_PER_SECOND;
    if (this.#turn === 0) this.#sentBytes += 1;
    const byte = this.#frame.subarray(this.#sentBytes, this.#sentBytes + 1);
    for (let i = this.#turn; i < this.#slow.length; i += TURNS_PER_SECOND) {
      const socket = this.#slow[i];
      if (socket?.writable) socket.write(byte);
    }
  }

  #sendGarbage(): void {
    if (this.#closed) return;
    const socket = this.#open();
    socket.write(randomBytes(GARBAGE_BYTES));
    socket.once('close', () => {
      this.garbageClosed += 1;
      setTimeout(() => this.#sendGarbage(), COME_AGAIN_MS).unref();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    if (this.#timer) clearInterval(this.#timer);
    const closing = [...this.#sockets].map(
      (socket) => new Promise((resolve) => socket.once('close', resolve).destroy()),
    );
    await Promise.all(closing);
  }
}
