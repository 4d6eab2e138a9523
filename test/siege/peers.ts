// Thousands of connections that do no good, to every listener over TCP: silent ones, some that send a byte a second of
// something that never ends, garbage, halves of handshakes and frames, ones that never read an answer, and ones that
// are reset before they are accepted. Each is replaced when it is closed. And intruders: from an address that may not
// connect, with events that are marked.

import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { encode } from '@msgpack/msgpack';
import type { Random } from './genome.ts';
import type { Ports } from './world.ts';

/** In every event of an intruder, and nowhere else; one word for the store. */
export const intruderMark = 'siegeintruder';
const intruderAddress = '127.0.0.2';
const intruderPauseMs = 50;
const connectingMax = 50;
const lookMs = 20;
const slowMs = 1000;
const livesMsMax = 20_000;

type Kind = (socket: Socket, port: PortName, random: Random) => void;
type PortName = 'forward' | 'http' | 'syslog' | 'gelf';
const portNames: readonly PortName[] = ['forward', 'http', 'syslog', 'gelf'];

/** What begins something that never ends. */
const beginnings: Readonly<Record<PortName, Buffer>> = {
  // An array of two, a tag, and a binary of 60 MB of which a little comes.
  forward: Buffer.from([0x92, 0xa1, 0x61, 0xc6, 0x03, 0x93, 0x87, 0x00]),
  http: Buffer.from('POST /siege.slow HTTP/1.1\r\nhost: a\r\ncontent-length: 60000000\r\n\r\n['),
  syslog: Buffer.from('60000 <13>'),
  gelf: Buffer.from('{"short_message":"'),
};
const tlsHello = Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]);

const kinds: readonly Kind[] = [
  // Silent.
  () => undefined,
  // A byte a second of its headers, or of a frame.
  (socket, port) => {
    const bytes = beginnings[port];
    let at = 0;
    const timer = setInterval(() => socket.write(bytes.subarray(at % bytes.length, (at++ % bytes.length) + 1)), slowMs);
    socket.once('close', () => clearInterval(timer));
  },
  // The beginning at once, and then a byte a second of what it announced.
  (socket, port) => {
    socket.write(beginnings[port]);
    const timer = setInterval(() => socket.write('x'), slowMs);
    socket.once('close', () => clearInterval(timer));
  },
  // Much of what was announced, and no more.
  (socket, port) => socket.write(Buffer.concat([beginnings[port], Buffer.alloc(32 * 1024, 0x20)])),
  (socket) => socket.write(randomBytes(4096)),
  // Half of a handshake that is not spoken here.
  (socket) => socket.write(tlsHello),
  // Whole messages whose answers it never reads.
  (socket, port) => {
    socket.pause();
    socket.write(port === 'http' ? 'GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(20) : beginnings[port]);
  },
  // As soon as it is made, often before it is accepted.
  (socket) => socket.resetAndDestroy(),
];

export class Peers implements AsyncDisposable {
  readonly #ports: Ports;
  readonly #random: Random;
  readonly #sockets = new Set<Socket>();
  readonly #stop = new AbortController();
  readonly #work: Promise<unknown>;
  #connecting = 0;
  opened = 0;
  intruded = 0;
  mostAtOnce = 0;

  constructor(ports: Ports, count: number, random: Random) {
    this.#ports = ports;
    this.#random = random;
    this.#work = Promise.all([this.#keep(count), this.#intrude()]);
  }

  async #keep(count: number): Promise<void> {
    while (!this.#stop.signal.aborted) {
      while (this.#sockets.size < count && this.#connecting < connectingMax) this.#open();
      this.mostAtOnce = Math.max(this.mostAtOnce, this.#sockets.size);
      await delay(lookMs);
    }
  }

  #open(): void {
    const random = this.#random;
    const port = portNames[Math.floor(random() * portNames.length)] ?? 'http';
    const kind = kinds[Math.floor(random() * kinds.length)];
    const socket = connect({ port: this.#ports[port], host: '127.0.0.1' });
    this.#sockets.add(socket);
    this.#connecting++;
    this.opened++;
    let isConnecting = true;
    const connected = (): void => {
      if (isConnecting) this.#connecting--;
      isConnecting = false;
    };
    const end = setTimeout(() => socket.destroy(), random() * livesMsMax);
    socket.on('error', () => undefined).resume();
    socket.once('connect', () => (connected(), kind?.(socket, port, random)));
    socket.once('close', () => {
      connected();
      clearTimeout(end);
      this.#sockets.delete(socket);
    });
  }

  /** Events as good as any, from where none may come; each other connection is reset behind them. */
  async #intrude(): Promise<void> {
    const udp = createSocket('udp4').on('error', () => undefined);
    udp.bind(0, intruderAddress);
    const { forward, http, syslog, gelf } = this.#ports;
    const json = JSON.stringify({ log: intruderMark });
    const gelfMessage = JSON.stringify({ version: '1.1', host: 'h', short_message: intruderMark });
    const request = (path: string, body: string): string =>
      `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    const messages: readonly (readonly [port: number, bytes: string | Uint8Array])[] = [
      [forward, encode([intruderMark, 1_700_000_000, { log: intruderMark }])],
      [forward, encode([intruderMark, encode([1_700_000_000, { log: intruderMark }]), { chunk: 'a' }])],
      [http, request(`/${intruderMark}`, json)],
      [http, request('/services/collector', JSON.stringify({ event: intruderMark }))],
      [http, request('/_bulk', `{"create":{"_index":"a"}}\n${json}\n`)],
      [syslog, `<13>1 - - - - - - ${intruderMark}\n`],
      [gelf, `${gelfMessage}\0`],
    ];
    for (let i = 0; !this.#stop.signal.aborted; i++) {
      for (const [port, bytes] of messages) {
        const socket = connect({ port, host: '127.0.0.1', localAddress: intruderAddress });
        socket.on('error', () => undefined).resume();
        socket.once('connect', () => {
          socket.write(bytes, () => (i % 2 === 0 ? socket.resetAndDestroy() : socket.end()));
        });
        this.intruded++;
      }
      udp.send(`<13>1 - - - - - - ${intruderMark}`, syslog, '127.0.0.1');
      udp.send(gelfMessage, gelf, '127.0.0.1');
      await delay(intruderPauseMs);
    }
    udp.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#work;
    for (const socket of this.#sockets) socket.destroy();
  }
}
