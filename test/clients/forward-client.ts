// A Forward client for load and kill tests: every frame has a chunk id and is kept until its ack; when the connection
// is lost it connects again and sends all that is not acked again, with the same ids and bytes, as a careful sender
// does.
//
//   [tag, time, record, option]                    message
//   [tag, [[time, record], …], option]             forward
//   [tag, bin of entries, option]                  packed; gzip, zstd: compressed, as option.compressed says

import { decodeMultiStream, encode, ExtData } from '@msgpack/msgpack';
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync, zstdCompressSync } from 'node:zlib';

export const modes = ['message', 'forward', 'packed', 'gzip', 'zstd'] as const;
export type Mode = (typeof modes)[number];

export interface ForwardEvent {
  readonly record: Readonly<Record<string, unknown>>;
  /** Nanoseconds since the epoch. */
  readonly timeNs: bigint;
}

interface Pending {
  readonly frame: Uint8Array;
  readonly acked: () => void;
}

const reconnectMs = 50;

export class ForwardClient implements AsyncDisposable {
  readonly #port: number;
  readonly #pending = new Map<string, Pending>();
  readonly #loop: Promise<void>;
  #socket: Socket | undefined;
  #closed = false;

  constructor(port: number) {
    this.#port = port;
    this.#loop = this.#run();
  }

  /** Frames that were sent and not acked so far. */
  get unacked(): number {
    return this.#pending.size;
  }

  /**
   * Sends events as one frame (`message`: one event); resolves when it is acked, over however many connections that
   * takes.
   */
  send(tag: string, events: readonly ForwardEvent[], mode: Mode): Promise<void> {
    const chunk = randomBytes(16).toString('base64');
    const frame = frameOf(tag, events, { mode, chunk });
    return new Promise((acked) => {
      this.#pending.set(chunk, { frame, acked });
      this.#socket?.write(frame);
    });
  }

  /** One connection after another until closed. */
  async #run(): Promise<void> {
    while (!this.#closed) {
      const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
      socket.on('error', () => undefined); // 'close' follows
      socket.on('connect', () => {
        this.#socket = socket;
        for (const { frame } of this.#pending.values()) socket.write(frame);
      });
      try {
        for await (const answer of decodeMultiStream(socket)) this.#settle(answer);
      } catch {
        // The connection broke, perhaps within an answer: what is not acked is sent again.
      }
      this.#socket = undefined;
      socket.destroy();
      if (!this.#closed) await delay(reconnectMs);
    }
  }

  #settle(answer: unknown): void {
    if (typeof answer !== 'object' || answer === null || !('ack' in answer) || typeof answer.ack !== 'string') {
      throw new Error(`Cannot read an ack: ${JSON.stringify(answer)}`);
    }
    const pending = this.#pending.get(answer.ack);
    this.#pending.delete(answer.ack);
    pending?.acked();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#socket?.destroy();
    await this.#loop;
  }
}

/** The bytes of a frame; without an ack wanted if `chunk` is absent. */
function frameOf(
  tag: string,
  events: readonly ForwardEvent[],
  { mode, chunk }: { mode: Mode; chunk?: string },
): Uint8Array {
  const option = chunk === undefined ? {} : { chunk };
  const entries = events.map(({ timeNs, record }) => [eventTime(timeNs), record]);
  if (mode === 'message') return encode([tag, ...(entries[0] ?? []), option]);
  if (mode === 'forward') return encode([tag, entries, { ...option, size: entries.length }]);
  const run = Buffer.concat(entries.map((entry) => encode(entry)));
  if (mode === 'packed') return encode([tag, run, { ...option, size: entries.length }]);
  const compressed = mode === 'gzip' ? gzipSync(run) : zstdCompressSync(run);
  return encode([tag, compressed, { ...option, size: entries.length, compressed: mode }]);
}

/** The msgpack extension of Forward: type 0, seconds and nanoseconds as 32 bit each. */
function eventTime(timeNs: bigint): ExtData {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32BE(Number(timeNs / 1_000_000_000n), 0);
  bytes.writeUInt32BE(Number(timeNs % 1_000_000_000n), 4);
  return new ExtData(0, bytes);
}
