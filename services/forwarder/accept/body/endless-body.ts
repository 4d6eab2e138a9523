// Bodies without a known end, such as an upload of the journal. They are read piece by piece for as long as they take,
// and may be silent for days between entries. What they cost is the entry that was begun.
//
// Guarantees: a piece is counted while it is processed, and the kept part of an entry until the entry is whole. The
// begun entries of a sender hold no more than what is still free, except for a piece of each of its uploads. An entry
// comes whole within `timeoutMs` of waiting for its sender, or its upload ends. A request that waits for room longer
// than `waitMs` is refused.

import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { unlessAborted } from '#shared/abort.ts';
import type { Clock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import { DynamicShares } from '../turns/dynamic-shares.ts';
import { RecheckTimer } from '../turns/recheck-timer.ts';
import { requestWait } from '../turns/request-wait.ts';

/** What a piece costs beyond its bytes. */
const PIECE_OVERHEAD_BYTES = 512;
/** A peer that is gone without a word is found out by the kernel. */
const PROBE_AFTER_MS = 60_000;

export interface EndlessBodiesOptions {
  readonly clock: Clock;
  /** Counts bytes among those of all bodies, and as the sender's where they are few. */
  readonly take: (bytes: number, sender: string | null) => Disposable;
  /** Of all entries that were begun. */
  readonly begunBytesMax: number;
  /** How long an entry may take to come whole. */
  readonly timeoutMs: number;
  readonly waitMs: number;
  /**
   * Resolves when there is room for a body of so many bytes. Rejects with intake_full, or request_malformed where it is
   * given up.
   */
  readonly room: (bytes: number, sender: string, request: IncomingMessage) => Promise<void>;
  readonly tooBusy: () => Error;
}

/** What the taker of an endless body keeps of it. */
export interface Begun {
  /** Of the entry that was begun; 0 between entries. */
  readonly bytesHeld: number;
  /** Entries that came whole. */
  readonly entries: number;
}

export interface PiecesOptions {
  readonly sender: string;
  readonly begun: Begun;
  /** Called before the first byte is asked for. */
  readonly sendContinue: () => void;
  /** Asked before each further piece; nothing but what was begun is counted while it is waited for. */
  readonly mayGoOn: () => Promise<void>;
}

export class EndlessBodies {
  readonly #options: EndlessBodiesOptions;
  readonly #shares: DynamicShares;
  readonly #recheck: RecheckTimer;

  constructor(options: EndlessBodiesOptions) {
    this.#options = options;
    this.#shares = new DynamicShares(options.begunBytesMax);
    this.#recheck = new RecheckTimer(options.clock);
  }

  /** Throws intake_full, request_timeout, request_malformed. */
  async *pieces(
    request: IncomingMessage,
    { sender, begun, sendContinue, mayGoOn }: PiecesOptions,
  ): AsyncGenerator<Buffer, void, undefined> {
    const { take, room } = this.#options;
    await room(0, sender, request);
    sendContinue();
    letBeSilent(request.socket);
    const iterator = request.iterator({ destroyOnReturn: false });
    using held = new HeldEntry(take, this.#shares, sender);
    const wait = new Wait(this.#options, begun);
    try {
      for (;;) {
        const piece: unknown = await this.#next(iterator, wait);
        if (piece === null) return;
        if (!Buffer.isBuffer(piece)) continue;
        {
          using _permit = take(piece.length + PIECE_OVERHEAD_BYTES, null);
          yield piece;
        }
        held.now(begun.bytesHeld);
        await mayGoOn();
        if (begun.bytesHeld > 0) await this.#share(sender, request);
        await room(begun.bytesHeld, sender, request);
      }
    } finally {
      if (!wait.isOver) await iterator.return?.();
      // What is left of a refused body is passed over, so that its sender can hear the answer.
      request.resume();
    }
  }

  /** Null at the end. */
  async #next(iterator: AsyncIterator<unknown>, wait: Wait): Promise<unknown> {
    try {
      const { done, value } = await wait.for(iterator.next());
      return done ? null : value;
    } catch (error) {
      if (error instanceof SluiceError) throw error;
      throw new SluiceError('request_malformed', 'Cannot read the body: the connection was closed', { cause: error });
    }
  }

  /**
   * Resolves when the sender has no more than its share. Rejects with intake_full, or request_malformed where it is
   * gone.
   */
  async #share(sender: string, request: IncomingMessage): Promise<void> {
    if (this.#shares.fits(sender, 0)) return;
    using wait = requestWait(request, this.#options);
    while (!this.#shares.fits(sender, 0)) await unlessAborted(this.#recheck.next(), wait.signal);
  }
}

/** What is kept of a begun entry. */
class HeldEntry implements Disposable {
  readonly #take: EndlessBodiesOptions['take'];
  readonly #shares: DynamicShares;
  readonly #sender: string;
  #bytes = 0;
  #permit: Disposable | null = null;

  constructor(take: EndlessBodiesOptions['take'], shares: DynamicShares, sender: string) {
    this.#take = take;
    this.#shares = shares;
    this.#sender = sender;
  }

  now(bytes: number): void {
    if (bytes === this.#bytes) return;
    const before = this.#permit;
    this.#permit = bytes > 0 ? this.#take(bytes, this.#sender) : null;
    this.#shares.take(this.#sender, bytes);
    this.#shares.give(this.#sender, this.#bytes);
    this.#bytes = bytes;
    before?.[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.now(0);
  }
}

/** How long a sender was waited for while it had an entry begun. */
class Wait {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #begun: Begun;
  #entries = 0;
  #waitedMs = 0;
  /** It took too long, and what it was waited for still hangs. */
  isOver = false;

  constructor({ clock, timeoutMs }: EndlessBodiesOptions, begun: Begun) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#begun = begun;
  }

  /** Rejects with request_timeout. */
  async for<T>(next: Promise<T>): Promise<T> {
    const { bytesHeld, entries } = this.#begun;
    if (entries !== this.#entries) this.#waitedMs = 0;
    this.#entries = entries;
    if (bytesHeld === 0) return next;
    const fromMs = this.#clock.monotonicMs();
    const { promise: overdue, reject } = Promise.withResolvers<never>();
    using _timer = this.#clock.timer(Math.max(0, this.#timeoutMs - this.#waitedMs), () => {
      this.isOver = true;
      reject(new SluiceError('request_timeout', 'Cannot read the body: an entry was begun and did not come in time'));
    });
    const got = await Promise.race([next, overdue]);
    this.#waitedMs += this.#clock.monotonicMs() - fromMs;
    return got;
  }
}

/** Between entries it is waited for without end. */
function letBeSilent(socket: unknown): void {
  if (!(socket instanceof Socket)) return;
  socket.setTimeout(0);
  socket.setKeepAlive(true, PROBE_AFTER_MS);
}
