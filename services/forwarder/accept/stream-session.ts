// One connection of a protocol without acks (syslog, GELF over TCP): bytes → messages → a chunk for each read → intake. A read may have
// thousands of messages: they are taken in steps, a turn of the event loop each, and meanwhile no more is read.
//
// Nobody is told what was held, so nothing that was read may be lost while we run: what intake refuses is tried again (unacked.ts), and
// reading stops while there is no room. At the end of the connection, whatever ends it, a message that was begun is taken as it is.

import type { Socket } from 'node:net';
import type { Clock } from '#shared/clock.ts';
import { type AddressRate, ratedRoom } from '../admit/address-rates.ts';
import { type Chunk, type InputName, LETTER_OVERHEAD_BYTES, type Room } from '../chunk.ts';
import type { Principal } from '../principal.ts';
import { type BadReason, BadMessages } from './bad-messages.ts';
import { EntryRun } from './entry-run.ts';
import type { HeldMessages, HeldPass, Holder } from './held-messages.ts';
import type { TurnBytes } from './turn-bytes.ts';
import type { Turns } from './turns.ts';
import type { Unacked } from './unacked.ts';

/** Its room: false while more of the message that was begun would have to wait for others of its size. */
export interface StreamDecoder extends Room {
  /** Comes when `read` has returned true. */
  push(piece: Buffer): void;
  /** Appends messages, as many as a turn of the event loop may have; what is none goes to `bury`. Returns whether no more is there. */
  read(run: EntryRun, bury: Bury): boolean;
  /** As `read`, but lets go of a message that is not whole, for memory is short. */
  relieve(run: EntryRun, bury: Bury): boolean;
  /** A message is too large for a turn, and converted elsewhere: `read` goes on when it resolves. It never rejects. */
  readonly converting: Promise<void> | null;
  /** Nothing will be pushed any more: what is left is a message. */
  finish(): void;
  /** Bytes that wait for the rest of their message, or to be read. */
  readonly heldBytes: number;
}

/** For what can never be an event. `bytes` are lent. */
export type Bury = (bytes: Buffer, reason: BadReason, error: string) => void;

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
  readonly held: HeldMessages;
  /** It is closed because of a limit. */
  readonly ended: (reason: 'slow_when_full' | 'frame_timeout') => void;
  readonly turns: Turns;
  /** Of all connections together. */
  readonly turnBytes: TurnBytes;
}

/** Bytes that one connection may have in flight before it is read no further, so that no single one takes all the room. */
const IN_FLIGHT_BYTES_MAX = 4 * 1024 * 1024;
/** What a chunk in flight costs beside its bytes. */
const CHUNK_OVERHEAD_BYTES = 1024;
/** A run above this goes on before its read is done. */
const RUN_BYTES_MAX = 256 * 1024;
/** How long what a peer has sent already is still read when we stop. */
const LINGER_MS = 500;

export class StreamSession implements Holder {
  readonly #socket: Socket;
  readonly #options: StreamSessionOptions;
  readonly #origin: Pick<Chunk, 'tag' | 'input' | 'tenant' | 'sender'>;
  readonly #room: Room;
  readonly #run = new EntryRun();
  readonly #bad: BadMessages;
  readonly #held: HeldPass;
  #inFlightBytes = 0;
  /** While it waits for room or a turn: reading has stopped. */
  #waiting: Promise<void> | null = null;
  #finished: Promise<void> | null = null;
  #wake: (() => void) | null = null;
  /** Aborted when we stop, or it is gone: what it has sent is lost unless it is read now, whatever its rate. */
  readonly #ending = new AbortController();
  readonly #closed = Promise.withResolvers<void>();

  constructor(socket: Socket, options: StreamSessionOptions) {
    const { input, tag, sender, principal, unacked } = options;
    this.#socket = socket;
    this.#options = options;
    this.#room = ratedRoom(unacked, options.rate, { clock: options.clock, over: this.#ending.signal });
    this.#origin = { tag: principal.tagPrefix + tag, input, tenant: principal.tenant, sender };
    this.#held = options.held.enter(this);
    this.#bad = new BadMessages((bad) => {
      const buried = unacked.bury({ ...this.#origin, ...bad });
      this.#settle(bad.bytes.length + LETTER_OVERHEAD_BYTES, buried);
      return buried;
    });
    socket.on('data', (piece: Buffer) => this.#read(piece));
    socket.on('end', () => void this.#finish());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#ending.abort();
      this.#wake?.();
      void this.#finish().then(() => this.#closed.resolve());
    });
  }

  /** Resolves when it is gone, and what was read of it is on its way. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Reads what the peer has sent so far, and closes. */
  async close(): Promise<void> {
    this.#ending.abort();
    this.#socket.end();
    using _limit = this.#options.clock.timer(LINGER_MS, () => this.#socket.destroy());
    await this.#closed.promise;
  }

  /** Not where its own message is too large for what there is now: others need not make room for that. */
  get isWaiting(): boolean {
    return this.#waiting !== null && this.#options.decoder.hasRoom;
  }

  relieve(): void {
    const { decoder, held } = this.#options;
    while (!decoder.relieve(this.#run, this.#bury));
    held.update(this.#held, decoder.heldBytes, true);
    this.#flush();
    this.#bad.flush();
  }

  evict(reason: 'slow_when_full' | 'frame_timeout'): void {
    this.#options.ended(reason);
    this.#socket.destroy();
  }

  #read(piece: Buffer): void {
    const { decoder, rate, turnBytes } = this.#options;
    rate?.take(piece.length);
    decoder.push(piece);
    const turn = turnBytes.take(piece.length) ? null : turnBytes.wait(piece.length);
    const isDone = turn === null && this.#step();
    if (!isDone || !this.#hasRoom) this.#waiting ??= this.#goOn(isDone, turn);
  }

  async #goOn(isDone: boolean, turn: Promise<void> | null): Promise<void> {
    this.#socket.pause();
    await turn;
    await this.#readAll(turn === null ? isDone : this.#step());
    this.#waiting = null;
    this.#socket.resume();
  }

  /** Until nothing is left to read, and there is room for more. */
  async #readAll(isDone: boolean): Promise<void> {
    const { decoder } = this.#options;
    for (let done = isDone; ;) {
      if (decoder.converting) {
        await decoder.converting;
      } else if (!this.#hasRoom && !this.#socket.destroyed) {
        await this.#roomOrGone();
      } else if (!done) {
        await this.#options.turns.next();
        done = this.#step();
      } else {
        return;
      }
    }
  }

  #finish(): Promise<void> {
    return (this.#finished ??= this.#finishOnce());
  }

  async #finishOnce(): Promise<void> {
    await this.#waiting;
    const { decoder, held } = this.#options;
    decoder.finish();
    if (!this.#step()) await this.#readAll(false);
    held.leave(this.#held);
  }

  /** Takes as many messages as one turn may have. Returns whether no more is there. */
  #step(): boolean {
    const { decoder, held } = this.#options;
    const before = decoder.heldBytes;
    const isDone = decoder.read(this.#run, this.#bury);
    // What waits for its turn is at most a read, and we are the ones who take long.
    held.update(this.#held, isDone ? decoder.heldBytes : 0, decoder.heldBytes < before);
    if (isDone || decoder.converting || this.#run.bytes > RUN_BYTES_MAX) this.#flush();
    if (isDone) this.#bad.flush();
    return isDone;
  }

  #flush(): void {
    const { count } = this.#run;
    if (count === 0) return;
    const entries = this.#run.take();
    const chunk = { ...this.#origin, chunkId: null, encoding: 'identity' as const, bytes: entries, entries, count };
    this.#settle(entries.length + CHUNK_OVERHEAD_BYTES, this.#options.unacked.accept(chunk));
  }

  readonly #bury: Bury = (bytes, reason, error) => this.#bad.add(bytes, reason, error);

  #settle(bytes: number, done: Promise<void>): void {
    this.#inFlightBytes += bytes;
    void done.then(() => {
      this.#inFlightBytes -= bytes;
      this.#wake?.();
    });
  }

  get #hasRoom(): boolean {
    return this.#inFlightBytes < IN_FLIGHT_BYTES_MAX && this.#room.hasRoom && this.#options.decoder.hasRoom;
  }

  /** Resolves when there may be room, and when it is gone: what was read is taken then without, so that a stop never waits for room. */
  async #roomOrGone(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const { decoder } = this.#options;
    const room = decoder.hasRoom ? this.#room : decoder;
    if (this.#inFlightBytes < IN_FLIGHT_BYTES_MAX) void room.room().then(resolve);
    await promise;
    this.#wake = null;
  }
}
