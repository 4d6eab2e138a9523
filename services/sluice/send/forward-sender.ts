// Sends runs of entries of one tag to a forwarder, in their order, and keeps each until it is acknowledged.
//
//   push ─► waiting ─► a chunk with an id ─► connection ─► ack
//                      └ sent again under the same id until it is acknowledged: the forwarder names events by it
//
// Guarantees: no run is forgotten before its ack; one chunk is under way at a time, so order stays; what is in hand is
// bounded, if whoever gives more waits for `room`.

import { randomBytes } from 'node:crypto';
import { encodePackedChunk } from '#forwarder/decode/forward/forward-client.ts';
import { type BackoffLimits, steadyBackoffMs } from '#shared/backoff.ts';
import type { Clock } from '#shared/clock.ts';
import { reasonOf } from '#shared/errors.ts';
import { printAddress } from '#shared/net/listen-address.ts';
import { ForwardConnection, type ForwardTarget } from './forward-connection.ts';

/** In hand, the chunk under way included. */
const HELD_BYTES_MAX = 8 * 1024 * 1024;
/** A chunk has so many at least where there are as many, and one run more. */
const CHUNK_BYTES = 512 * 1024;
/** What a run takes beside its bytes. */
const RUN_BYTES = 256;
const PAUSES: BackoffLimits = { baseMs: 50, capMs: 2000 };

export interface Run {
  readonly entries: Uint8Array;
  readonly count: number;
}

export interface ForwardSenderOptions {
  readonly tag: string;
  readonly target: ForwardTarget;
  readonly clock: Clock;
  /** Says something to whoever started the command. */
  readonly tell: (text: string) => void;
}

export class ForwardSender {
  readonly #options: ForwardSenderOptions;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  #waiting: Run[] = [];
  #heldBytes = 0;
  #isEnded = false;
  #wake: (() => void) | null = null;
  #roomWaiters: (() => void)[] = [];
  #connection: ForwardConnection | null = null;
  #isTroubled = false;

  constructor(options: ForwardSenderOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** Entries that were given and are not acknowledged. */
  unacked = 0;
  acked = 0;
  /** Why nothing is acknowledged now; null while all is well. */
  trouble: string | null = null;

  push(run: Run): void {
    this.#waiting.push(run);
    this.#heldBytes += RUN_BYTES + run.entries.length;
    this.unacked += run.count;
    this.#wake?.();
  }

  /** Resolves when more may be given, or `over` is aborted. */
  async room(over?: AbortSignal): Promise<void> {
    while (this.#heldBytes >= HELD_BYTES_MAX) {
      if (over?.aborted === true) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#roomWaiters.push(resolve);
      over?.addEventListener('abort', () => resolve(), { once: true });
      await promise;
    }
  }

  /** Nothing more is given. Resolves when all is acknowledged, or `limit` is aborted; `unacked` says what is not. */
  async finish(limit: AbortSignal): Promise<void> {
    this.#isEnded = true;
    const stop = (): void => this.#stopping.abort();
    limit.addEventListener('abort', stop, { once: true });
    if (limit.aborted) stop();
    this.#wake?.();
    await this.#running;
    limit.removeEventListener('abort', stop);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    signal.addEventListener('abort', () => this.#wake?.());
    while (!signal.aborted) {
      if (this.#waiting.length > 0) await this.#sendChunk(this.#takeChunk());
      else if (this.#isEnded) break;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    this.#connection?.[Symbol.dispose]();
  }

  #takeChunk(): Run & { heldBytes: number } {
    let bytes = 0;
    const taken = this.#waiting.findIndex(({ entries }) => (bytes += entries.length) >= CHUNK_BYTES);
    const runs = this.#waiting.splice(0, taken < 0 ? this.#waiting.length : taken + 1);
    const entries = Buffer.concat(runs.map((run) => run.entries));
    const count = runs.reduce((sum, run) => sum + run.count, 0);
    return { entries, count, heldBytes: entries.length + RUN_BYTES * runs.length };
  }

  async #sendChunk({ entries, count, heldBytes }: Run & { heldBytes: number }): Promise<void> {
    const { tag, clock, target } = this.#options;
    const { signal } = this.#stopping;
    const chunk = randomBytes(16).toString('base64');
    const frame = encodePackedChunk(tag, entries, { chunk, size: count });
    for (let failures = 0; !signal.aborted; failures += 1) {
      try {
        this.#connection ??= await ForwardConnection.open(target, signal);
        await this.#connection.deliver(frame, chunk);
        this.#isHeld(heldBytes, count);
        return;
      } catch (error) {
        this.#connection?.[Symbol.dispose]();
        this.#connection = null;
        // A connection that was idle may be closed for that: the next one tells.
        if (failures > 0) this.#troubled(reasonOf(error));
        if (!signal.aborted) await clock.sleep(steadyBackoffMs(failures, PAUSES), signal).catch(() => undefined);
      }
    }
  }

  #isHeld(bytes: number, count: number): void {
    this.#heldBytes -= bytes;
    this.unacked -= count;
    this.acked += count;
    this.trouble = null;
    if (this.#isTroubled) this.#options.tell('The forwarder takes lines again');
    this.#isTroubled = false;
    for (const resolve of this.#roomWaiters.splice(0)) resolve();
  }

  #troubled(reason: string): void {
    this.trouble = reason;
    if (this.#isTroubled || this.#stopping.signal.aborted) return;
    this.#isTroubled = true;
    const where = printAddress(this.#options.target.address);
    this.#options.tell(
      `Cannot send lines to ${where}: ${reason}; they wait here. ` +
        'Start `sluice run`, or name another forwarder with --to',
    );
  }
}
