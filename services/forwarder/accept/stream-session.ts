// One connection of a protocol without acks (syslog, GELF over TCP): bytes → messages → a chunk for each read → intake.
//
// Nobody is told what was held, so nothing that was read may be lost while we run: what intake refuses is tried again (unacked.ts), and
// reading stops while there is no room. At the end of the connection, whatever ends it, a message that was begun is taken as it is.

import type { Socket } from 'node:net';
import type { Clock } from '#shared/clock.ts';
import { type AddressRate, ratedRoom } from '../admit/address-rates.ts';
import type { Chunk, InputName, Room, Undecodable } from '../chunk.ts';
import type { Principal } from '../principal.ts';
import { EntryRun } from './entry-run.ts';
import type { Unacked } from './unacked.ts';

export interface StreamDecoder {
  /** Appends the messages that `piece` completes; what is none goes to `bury`. */
  push(piece: Buffer, run: EntryRun, bury: Bury): void;
  /** Lets go of a message that is not whole, for memory is short. */
  relieve(run: EntryRun, bury: Bury): void;
  /** Appends what is left. */
  finish(run: EntryRun, bury: Bury): void;
  /** Bytes that wait for the rest of their message. */
  readonly heldBytes: number;
}

/** For what can never be an event. `bytes` are kept. */
export type Bury = (bytes: Buffer, reason: Undecodable['reason'], error: string) => void;

export interface StreamSessionOptions {
  readonly input: InputName;
  readonly tag: string;
  readonly sender: string;
  readonly principal: Principal;
  /** Of the sender's address; null: it has none. */
  readonly rate: AddressRate | null;
  readonly decoder: StreamDecoder;
  readonly unacked: Unacked;
  readonly clock: Clock;
  /** Of all connections together. */
  readonly held: HeldBytes;
}

/** Bytes of messages that are not whole, of all connections of a server. */
export class HeldBytes {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get isShort(): boolean {
    return this.#bytes > this.#bytesMax;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
  }
}

/** Bytes that one connection may have in flight before it is read no further, so that no single one takes all the room. */
const IN_FLIGHT_BYTES_MAX = 4 * 1024 * 1024;
/** How long what a peer has sent already is still read when we stop. */
const LINGER_MS = 500;

export class StreamSession {
  readonly #socket: Socket;
  readonly #options: StreamSessionOptions;
  readonly #origin: Pick<Chunk, 'tag' | 'input' | 'tenant' | 'sender'>;
  readonly #room: Room;
  readonly #run = new EntryRun();
  #held = 0;
  #inFlightBytes = 0;
  #isWaiting = false;
  #isFinished = false;
  #wake: (() => void) | null = null;
  /** Aborted when we stop, or it is gone: what it has sent is lost unless it is read now, whatever its rate. */
  readonly #ending = new AbortController();
  readonly #closed = Promise.withResolvers<void>();

  constructor(socket: Socket, options: StreamSessionOptions) {
    const { input, tag, sender, principal } = options;
    this.#socket = socket;
    this.#options = options;
    this.#room = ratedRoom(options.unacked, options.rate, { clock: options.clock, over: this.#ending.signal });
    this.#origin = { tag: principal.tagPrefix + tag, input, tenant: principal.tenant, sender };
    socket.on('data', (piece: Buffer) => this.#read(piece));
    socket.on('end', () => this.#finish());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#ending.abort();
      this.#finish();
      this.#wake?.();
      this.#closed.resolve();
    });
  }

  /** Reads what the peer has sent so far, and closes. */
  async close(): Promise<void> {
    this.#ending.abort();
    this.#socket.end();
    using _limit = this.#options.clock.timer(LINGER_MS, () => this.#socket.destroy());
    await this.#closed.promise;
  }

  #read(piece: Buffer): void {
    const { decoder, held, rate } = this.#options;
    rate?.take(piece.length);
    decoder.push(piece, this.#run, this.#bury);
    this.#count();
    if (held.isShort && decoder.heldBytes > 0) {
      decoder.relieve(this.#run, this.#bury);
      this.#count();
    }
    this.#flush();
    if (!this.#hasRoom && !this.#isWaiting) void this.#wait();
  }

  #finish(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.#options.decoder.finish(this.#run, this.#bury);
    this.#count();
    this.#flush();
  }

  #count(): void {
    const { decoder, held } = this.#options;
    held.add(decoder.heldBytes - this.#held);
    this.#held = decoder.heldBytes;
  }

  #flush(): void {
    const { count } = this.#run;
    if (count === 0) return;
    const entries = this.#run.take();
    const chunk = { ...this.#origin, chunkId: null, encoding: 'identity' as const, bytes: entries, entries, count };
    this.#settle(entries.length, this.#options.unacked.accept(chunk));
  }

  readonly #bury: Bury = (bytes, reason, error) => {
    this.#flush();
    this.#settle(bytes.length, this.#options.unacked.bury({ ...this.#origin, bytes, reason, error }));
  };

  #settle(bytes: number, done: Promise<void>): void {
    this.#inFlightBytes += bytes;
    void done.then(() => {
      this.#inFlightBytes -= bytes;
      this.#wake?.();
    });
  }

  get #hasRoom(): boolean {
    return this.#inFlightBytes < IN_FLIGHT_BYTES_MAX && this.#room.hasRoom;
  }

  async #wait(): Promise<void> {
    this.#isWaiting = true;
    this.#socket.pause();
    while (!this.#hasRoom && !this.#socket.destroyed) {
      if (this.#inFlightBytes >= IN_FLIGHT_BYTES_MAX) await this.#settled();
      else await this.#room.room();
    }
    this.#isWaiting = false;
    this.#socket.resume();
  }

  async #settled(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    await promise;
    this.#wake = null;
  }
}
