// How much of a turn of the event loop all HTTP requests may use. However many bodies come whole in one turn, only so
// many are converted in it; the others wait, by sender. A request without competition never waits for a small body.
//
// Guarantees: as turn-bytes.ts has it; whoever has gone meanwhile is told so, and nothing is done for him; whoever has
// waited too long to hand over hundreds of chunks is refused, and keeps nothing of what he waited with.

import type { IncomingMessage } from 'node:http';
import { closed, isGone, type RequestWaitOptions, requestWait } from '../turns/request-wait.ts';
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

export class HttpTurns {
  readonly #limit: RequestWaitOptions;
  readonly #turn = new TurnBytes(HTTP_TURN_BYTES, 0);
  readonly #crowds = new SharedSlots(CROWDS_AT_ONCE);

  /** `limit`: how long a request waits to hand over hundreds of chunks. */
  constructor(limit: RequestWaitOptions) {
    this.#limit = limit;
  }

  /**
   * Resolves when work of so many bytes may be done for the request. Rejects with request_malformed where its
   * connection is closed. Without a limit in time: each turn of the event loop has some of those who wait.
   */
  async wait(bytes: number, sender: string, request: IncomingMessage): Promise<void> {
    if (this.#turn.take(bytes)) return;
    using wait = requestWait(request, null);
    await this.#turn.wait(bytes, sender, wait.signal);
    wait.signal.throwIfAborted();
  }

  /**
   * Resolves when the request may hand over hundreds of chunks; to be disposed of when all of these are settled.
   * Rejects as `wait` does, and with `tooBusy`. Senders take turns.
   */
  async crowd(sender: string, request: IncomingMessage): Promise<Disposable> {
    if (isGone(request)) throw closed();
    const slot = this.#crowds.tryEnter(sender);
    if (slot) return slot;
    using wait = requestWait(request, this.#limit);
    return await this.#crowds.enter(sender, wait.signal);
  }
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
