// The load: a process with several Forward senders, each with its own connection, tag and numbers. It sends chunks of
// numbered events at a given rate, wants an ack for each, and sends a chunk again, with the same id and bytes, to the
// same address, when its ack does not come or its connection is lost: what a careful sender does.
//
//   node sender.ts RATE NAME PORT…      one sender for each port
//
// RATE is in events per second, of all senders together; NAME is the run's. It reports every chunk to its parent
// (SenderMessage). On the message `big` the next sender sends an extra chunk that is larger than a forwarder buffers in
// memory; on `torn` one whose last entry breaks off. After `finish` no new ones are made; it ends when all is acked, or
// with its parent.

import { decodeMultiStream, encode, ExtData } from '@msgpack/msgpack';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { tornName } from './books.ts';

/** What the parent says. */
export type Wish = 'big' | 'torn' | 'finish';

/**
 * What the parent hears: a chunk went out for the first time, or once more; its ack came. `events` and `isTorn` only
 * with the first.
 */
export type SenderMessage =
  | readonly ['sent', sender: number, chunk: number, events: number, isTorn: boolean]
  | readonly ['resent' | 'acked', sender: number, chunk: number]
  | readonly ['done'];

const chunkEvents = { from: 50, to: 500 };
/** More than 4 MiB, so that a forwarder keeps it in a file while it comes. */
const bigChunkEvents = 28_000;
/** Chunks without an ack, for each sender. */
const windowChunks = 8;
const ackTimeoutMs = 15_000;
const reconnectMs = 200;
const tickMs = 10;
const modes = ['packed', 'packed', 'gzip', 'forward', 'zstd'] as const;

interface Pending {
  readonly frame: Uint8Array;
  sentMs: number;
}

interface FrameFacts {
  readonly chunk: number;
  readonly size: number;
  readonly mode: (typeof modes)[number];
  readonly isTorn: boolean;
}

class Sender {
  readonly #number: number;
  readonly #port: number;
  readonly #name: string;
  readonly #pending = new Map<number, Pending>();
  #socket: Socket | undefined;
  #chunks = 0;
  #events = 0;
  /** Events that may be sent now; grows with time, also while nothing can be sent, so that a pause is made up for. */
  #due = 0;

  constructor(number: number, port: number, name: string) {
    this.#number = number;
    this.#port = port;
    this.#name = name;
    void this.#run();
  }

  get settled(): boolean {
    return this.#pending.size === 0;
  }

  /** So many events more are due. */
  tick(events: number): void {
    this.#due += events;
    const size =
      chunkEvents.from + ((this.#chunks * 7919 + this.#number * 104_729) % (chunkEvents.to - chunkEvents.from));
    if (this.#due < size || this.#pending.size >= windowChunks) return;
    this.#due -= size;
    this.#send(size, modes[this.#chunks % modes.length] ?? 'packed');
  }

  sendBig(): void {
    this.#send(bigChunkEvents, 'packed');
  }

  /** The torn entry is none of the events. */
  sendTorn(): void {
    const isCompressed = this.#chunks % 2 === 0;
    this.#send(chunkEvents.from, isCompressed ? 'gzip' : 'packed', true);
  }

  /**
   * An ack that does not come makes the sender give its connection up; all that is unacked goes out again on the next.
   */
  checkAcks(): void {
    const overdueMs = performance.now() - ackTimeoutMs;
    for (const { sentMs } of this.#pending.values()) {
      if (sentMs >= overdueMs) continue;
      this.#socket?.destroy();
      return;
    }
  }

  #send(size: number, mode: (typeof modes)[number], isTorn = false): void {
    const chunk = this.#chunks++;
    const frame = this.#frame({ chunk, size, mode, isTorn });
    this.#pending.set(chunk, { frame, sentMs: performance.now() });
    tell(['sent', this.#number, chunk, size, isTorn]);
    this.#socket?.write(frame);
  }

  #frame({ chunk, size, mode, isTorn }: FrameFacts): Uint8Array {
    const s = this.#number;
    const entries: unknown[] = [];
    for (let i = 0; i < size; i++) {
      const n = this.#events++;
      const log = `request=${(Math.imul(n, 2_654_435_761) >>> 0).toString(16)} GET /api/v1/items/${n} status=200 user=u${n % 97}`;
      entries.push([eventTime(Date.now()), { n, s, c: chunk, log: log.padEnd(150, ' abcdefgh') }]);
    }
    const tag = `chaos.${s}`;
    const option = { chunk: this.#chunkId(chunk), size };
    if (mode === 'forward') return encode([tag, entries, option]);
    const whole = entries.map((entry) => encode(entry));
    const run = Buffer.concat(isTorn ? [...whole, tornEntry(s, chunk)] : whole);
    if (mode === 'gzip') return encode([tag, gzipSync(run), { ...option, compressed: 'gzip' }]);
    if (mode === 'zstd') return encode([tag, zstdCompressSync(run), { ...option, compressed: 'zstd' }]);
    return encode([tag, run, option]);
  }

  #chunkId(chunk: number): string {
    return `${this.#name}-${this.#number}-${chunk}`;
  }

  /** One connection after another. */
  async #run(): Promise<void> {
    for (;;) {
      const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
      socket.on('error', () => undefined); // 'close' follows
      socket.on('connect', () => {
        this.#socket = socket;
        for (const [chunk, pending] of this.#pending) {
          tell(['resent', this.#number, chunk]);
          pending.sentMs = performance.now();
          socket.write(pending.frame);
        }
      });
      try {
        for await (const answer of decodeMultiStream(socket)) this.#acked(answer);
      } catch {
        // The connection broke, perhaps within an answer.
      }
      this.#socket = undefined;
      socket.destroy();
      await delay(reconnectMs);
    }
  }

  #acked(answer: unknown): void {
    const id = typeof answer === 'object' && answer !== null && 'ack' in answer ? String(answer.ack) : '';
    const chunk = Number(id.slice(id.lastIndexOf('-') + 1));
    if (id !== this.#chunkId(chunk)) throw new Error(`Cannot read an ack: ${JSON.stringify(answer)}`);
    if (this.#pending.delete(chunk)) tell(['acked', this.#number, chunk]);
  }
}

/** The beginning of an entry; its text says which chunk it ends (`tornName` of books.ts). */
function tornEntry(sender: number, chunk: number): Uint8Array {
  const log = `${tornName({ sender, chunk })} `.padEnd(150, ' abcdefgh');
  return encode([eventTime(Date.now()), { log }]).subarray(0, -50);
}

/** The msgpack extension of Forward: type 0, seconds and nanoseconds as 32 bit each. */
function eventTime(epochMs: number): ExtData {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32BE(Math.floor(epochMs / 1000), 0);
  bytes.writeUInt32BE((epochMs % 1000) * 1_000_000, 4);
  return new ExtData(0, bytes);
}

function tell(message: SenderMessage): void {
  process.send?.(message);
}

const [rate, name = '', ...ports] = process.argv.slice(2);
const senders = ports.map((port, number) => new Sender(number, Number(port), name));
const finishing = new AbortController();
let wishes = 0;
process.on('message', (wish: Wish) => {
  const sender = senders[wishes++ % senders.length];
  if (wish === 'finish') finishing.abort();
  else if (wish === 'big') sender?.sendBig();
  else sender?.sendTorn();
});
process.on('disconnect', () => process.exit());
for (let lastMs = performance.now(); !finishing.signal.aborted; await delay(tickMs)) {
  const nowMs = performance.now();
  const events = (Number(rate) * (nowMs - lastMs)) / 1000 / senders.length;
  lastMs = nowMs;
  for (const sender of senders) sender.tick(events);
  for (const sender of senders) sender.checkAcks();
}
while (!senders.every(({ settled }) => settled)) {
  await delay(tickMs);
  for (const sender of senders) sender.checkAcks();
}
// The last message: all messages before it have gone out too.
process.send?.(['done'], () => process.exit());
