// One answer from its beginning to its end: it takes a slot, begins when its first piece is there (so that a failure
// until then is a status), is made as fast as it is read, and ends with its reader, its time, or the process.
//
// Guarantees: a slot is held until nothing is done for the answer any more; a reader that takes nothing for STALLED_MS
// is closed; one whose token is taken away gets no more; how each answer ended is counted once.

import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { Clock } from '#shared/clock.ts';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import type { Store } from '#shared/store/store.ts';
import type { Reader } from './admission.ts';
import type { ReadRequest } from './request.ts';
import type { Searches } from './searches.ts';
import type { ReadSlots } from './bounds/slots.ts';
import type { ReadOutcome, ReadTelemetry } from './telemetry.ts';

export interface AnsweringOptions {
  readonly searches: Searches;
  readonly slots: ReadSlots;
  readonly telemetry: ReadTelemetry;
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Whether readers are told apart. */
  readonly isShared: boolean;
}

/** So long nothing of what waits for its reader has gone. */
const STALLED_MS = 30_000;
const LOOK_MS = 5000;
/** What a stop waits for. */
const STOP_MS = 500;

export class Answering {
  readonly #options: AnsweringOptions;
  readonly #open = new Set<Answer>();
  #isStopping = false;

  constructor(options: AnsweringOptions) {
    this.#options = options;
  }

  get store(): Store['kind'] {
    return this.#options.searches.store;
  }

  /** Rejects with searches_full, search_timeout, shutting_down, query_wrong, and the store's errors. */
  async begin(request: ReadRequest, reader: Reader, response: ServerResponse): Promise<Readable> {
    const { slots, telemetry, isShared } = this.#options;
    if (this.#isStopping) throw stopping();
    const slot = slots.take(request.kind === 'tail' ? 'tails' : 'searches', reader.holder, isShared);
    if (slot === null) {
      telemetry.answered(request.kind, 'busy', 0);
      const what = request.kind === 'tail' ? 'readers of the tail' : 'searches';
      throw new SluiceError('searches_full', `Cannot answer: there are as many ${what} as may be; ask later`);
    }
    const answer = new Answer(this.#options, { request, reader, response });
    this.#open.add(answer);
    void answer.ended.finally(() => {
      slot[Symbol.dispose]();
      this.#open.delete(answer);
    });
    return answer.begin();
  }

  /** Ends all that is open: tails are told. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const all = [...this.#open];
    for (const answer of all) answer.abort(stopping());
    const { promise: late, resolve } = Promise.withResolvers<void>();
    using _timer = this.#options.clock.timer(STOP_MS, resolve);
    await Promise.race([Promise.all(all.flatMap(({ ended, sent }) => [ended, sent])), late]);
  }
}

const stopping = (): SluiceError => new SluiceError('shutting_down', 'Cannot answer: Sluice is stopping; ask again');

/** What is said of the store may name servers and files, which are no tenant's. */
export function toldTo(reader: Reader | null, { code, kind, message }: SluiceError): string {
  const isOperators = kind.fault !== 'sender' && code !== 'searches_full' && code !== 'shutting_down';
  return isOperators && reader?.tenant !== null
    ? 'Cannot answer: the store cannot be read as it should; ask later'
    : message;
}

interface Asked {
  readonly request: ReadRequest;
  readonly reader: Reader;
  readonly response: ServerResponse;
}

class Answer {
  readonly #options: AnsweringOptions;
  readonly #request: ReadRequest;
  readonly #reader: Reader;
  readonly #response: ServerResponse;
  readonly #stop = new AbortController();
  readonly #ending = Promise.withResolvers<void>();
  readonly #startedMs: number;
  #deadline: Disposable | null = null;
  #watch: Disposable | null = null;
  #outcome: ReadOutcome = 'left';

  constructor(options: AnsweringOptions, { request, reader, response }: Asked) {
    this.#options = options;
    this.#request = request;
    this.#reader = reader;
    this.#response = response;
    this.#startedMs = options.clock.monotonicMs();
  }

  /** Resolves when nothing is done for it any more. */
  get ended(): Promise<void> {
    return this.#ending.promise;
  }

  /** Resolves when the system has all that was to be said, or its reader is gone. */
  get sent(): Promise<void> {
    const response = this.#response;
    if (response.writableFinished || response.closed) return Promise.resolve();
    return new Promise((resolve) => {
      for (const event of ['finish', 'close']) response.once(event, () => resolve());
    });
  }

  abort(reason: Error): void {
    this.#stop.abort(reason);
  }

  /** Resolves when the first piece is there. */
  async begin(): Promise<Readable> {
    const { clock, timeoutMs } = this.#options;
    const response = this.#response;
    // To the last byte of it: the last pieces may wait when nothing more is made.
    response.once('close', () => {
      this.#watch?.[Symbol.dispose]();
      this.abort(new Error('the reader has gone'));
    });
    // Its own watch is on it from here on; Node sets its own again for the next request.
    response.socket?.setTimeout(0);
    if (this.#request.kind !== 'tail')
      this.#deadline = clock.timer(timeoutMs, () => {
        const what = `it takes more than ${timeoutMs} ms; ask for less time, or narrow the query`;
        this.abort(new SluiceError('search_timeout', `Cannot answer: ${what}`));
      });
    this.#watchReader(0, clock.monotonicMs());
    const pieces = this.#options.searches.answer(this.#request, this.#stop.signal);
    try {
      const first = await pieces.next();
      return Readable.from(this.#following(first, pieces), { objectMode: false });
    } catch (error) {
      const known = this.#failed(error);
      this.#end();
      throw known;
    }
  }

  async *#following(
    first: IteratorResult<Uint8Array, void>,
    rest: AsyncGenerator<Uint8Array, void, void>,
  ): AsyncGenerator<Uint8Array, void, void> {
    try {
      if (first.done !== true) {
        yield first.value;
        yield* rest;
      }
      this.#outcome = 'done';
    } catch (error) {
      const known = this.#failed(error);
      if (this.#request.kind !== 'tail') throw known;
      const { code } = known;
      const message = toldTo(this.#reader, known);
      yield Buffer.from(`event: end\ndata: ${JSON.stringify({ error: { code, message } })}\n\n`);
    } finally {
      // Where the reader left before the end, nobody asks `rest` for more.
      await rest.return().catch(() => undefined);
      this.#end();
    }
  }

  /** What it failed by, which is counted. */
  #failed(error: unknown): SluiceError {
    const { aborted, reason } = this.#stop.signal;
    const cause: unknown = aborted ? reason : error;
    if (cause instanceof SluiceError && cause.code === 'usage_wrong') {
      this.#outcome = 'refused';
      return new SluiceError('query_wrong', cause.message);
    }
    if (this.#outcome !== 'unread') this.#outcome = outcomeOf(cause, aborted);
    if (this.#outcome === 'failed') this.#options.telemetry.failed(this.#request.kind, reasonOf(cause));
    return cause instanceof SluiceError
      ? cause
      : new SluiceError('store_unavailable', `Cannot answer: ${reasonOf(cause)}`, { cause });
  }

  /** Closes the connection of a reader that takes nothing. Reading what waits, however slowly, is reading. */
  #watchReader(goneBefore: number, sinceMs: number): void {
    const { clock } = this.#options;
    this.#watch = clock.timer(LOOK_MS, () => {
      if (!this.#reader.mayStill())
        this.abort(new SluiceError('unauthorized', 'Cannot go on: the token was taken away'));
      const { socket } = this.#response;
      const waiting = socket?.writableLength ?? 0;
      const gone = (socket?.bytesWritten ?? 0) - waiting;
      const nowMs = clock.monotonicMs();
      const isStalled = waiting > 0 && gone === goneBefore;
      if (isStalled && nowMs - sinceMs >= STALLED_MS) {
        this.#outcome = 'unread';
        socket?.destroy();
        return;
      }
      this.#watchReader(gone, isStalled ? sinceMs : nowMs);
    });
  }

  #end(): void {
    this.#deadline?.[Symbol.dispose]();
    const seconds = (this.#options.clock.monotonicMs() - this.#startedMs) / 1000;
    this.#options.telemetry.answered(this.#request.kind, this.#outcome, seconds);
    this.#ending.resolve();
  }
}

function outcomeOf(cause: unknown, isAborted: boolean): ReadOutcome {
  if (cause instanceof SluiceError && cause.code === 'search_timeout') return 'timeout';
  if (cause instanceof SluiceError && cause.code === 'shutting_down') return 'left';
  return isAborted ? 'left' : 'failed';
}
