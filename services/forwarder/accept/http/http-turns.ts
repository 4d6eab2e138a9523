// How much of a turn of the event loop all HTTP requests may use. However many bodies come whole in one turn, only so
// many are converted in it; the others wait, by sender. A request without competition never waits for a small body.
//
// Guarantees: those of turn-bytes.ts; a request whose connection is gone is rejected, and nothing more is done for it.

import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { SluiceError } from '#shared/errors.ts';
import { SharedSlots } from '../turns/shared-slots.ts';
import { TurnBytes } from '../turns/turn-bytes.ts';

/** Bytes of what costs most, OTLP in JSON: 4 to 6 ms. */
const HTTP_TURN_BYTES = 24 * 1024;
/** What a request costs beside its body: some 150 µs. */
export const REQUEST_TURN_BYTES = 1024;
/** What is small is decompressed in place, and gives 128 KiB at most: 120 µs. */
export const UNPACK_TURN_BYTES = 1024;
/** What a chunk costs on its way to intake: 15 to 30 µs. */
export const CHUNK_TURN_BYTES = 128;

/** Requests that hand over chunks by the hundred at once: 256 of `_bulk` cost 0.6 MB until the queue holds them. */
const CROWDS_AT_ONCE = { all: 24, ofOne: 16 };

/** A request that hands over no more at once waits for no other one. */
export const FEW_CHUNKS = 32;

/** Of each connection that waits, or has waited. */
const gone = new WeakMap<Socket, AbortSignal>();

export class HttpTurns {
  readonly #turn = new TurnBytes(HTTP_TURN_BYTES, 0);
  readonly #crowds = new SharedSlots(CROWDS_AT_ONCE);

  /**
   * Resolves when work of so many bytes may be done for the request. Rejects with request_malformed where its
   * connection is closed.
   */
  async wait(bytes: number, sender: string, { socket }: IncomingMessage): Promise<void> {
    if (this.#turn.take(bytes)) return;
    if (!socket.destroyed) await this.#turn.wait(bytes, sender, goneOf(socket));
    if (socket.destroyed) throw closed();
  }

  /**
   * Resolves when the request may hand over hundreds of chunks; to be disposed of when all of these are settled.
   * Rejects as `wait` does. Senders take turns.
   */
  crowd(sender: string, { socket }: IncomingMessage): Promise<Disposable> {
    if (socket.destroyed) return Promise.reject(closed());
    return this.#crowds.enter(sender, goneOf(socket)).catch(() => Promise.reject(closed()));
  }
}

function closed(): SluiceError {
  return new SluiceError('request_malformed', 'Cannot take events: the connection was closed');
}

/** Aborted when the connection is closed; one for each, for a connection may have several requests in hand. */
function goneOf(socket: Socket): AbortSignal {
  const known = gone.get(socket);
  if (known) return known;
  const controller = new AbortController();
  socket.once('close', () => controller.abort());
  gone.set(socket, controller.signal);
  return controller.signal;
}

interface Turning {
  turn(bytes: number): Promise<void>;
  crowd(): Promise<Disposable | null>;
}

/** Real entries have a kilobyte; 64 of them come in one piece. */
const ENTRIES_MAX = 128;

/** Entries that ask for their turn together; as much as a request costs. */
const TURN_ENTRIES = 8;

/**
 * The entries of an upload that intake has not answered yet. Beyond a few, the upload needs a turn for many chunks. An
 * error is reported only when no entry is under way any more.
 */
export class EntriesOnTheirWay implements AsyncDisposable {
  readonly #exchange: Turning;
  #held: Promise<void>[] = [];
  #crowd: Disposable | null = null;

  constructor(exchange: Turning) {
    this.#exchange = exchange;
  }

  /** Resolves when one more may be handed over. Rejects where one before was not held, or the sender is gone. */
  async next(): Promise<void> {
    if (this.#held.length >= ENTRIES_MAX) await this.settled();
    if (this.#held.length >= FEW_CHUNKS) this.#crowd ??= await this.#exchange.crowd();
    // Several at a time: waiters get their turns one by one, however much each asks for.
    if (this.#held.length % TURN_ENTRIES === 0) await this.#exchange.turn(TURN_ENTRIES * CHUNK_TURN_BYTES);
  }

  add(held: Promise<void>): void {
    // `settled` looks at it.
    held.catch(() => undefined);
    this.#held.push(held);
  }

  /** Resolves when all are held. */
  async settled(): Promise<void> {
    const held = this.#held;
    await this[Symbol.asyncDispose]();
    await Promise.all(held);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#held);
    this.#held = [];
    this.#crowd?.[Symbol.dispose]();
    this.#crowd = null;
  }
}
