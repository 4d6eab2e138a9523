// What comes into the store of another Sluice, in its order: /api/tail behind `Store.arrived`. The connection stays
// open between questions; where it ends, the next question opens another from the last place on (Last-Event-ID).
//
// Guarantees, as of the store itself: each document that is committed behind the place that was asked for once, over
// any number of connections and restarts there. What is read ahead is bounded: nothing is read while nobody asks.

import type { IncomingMessage } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { unlessAborted } from '#shared/abort.ts';
import type { Clock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import { parseExactJson } from '#shared/store/exact-json.ts';
import { PAGE_BYTES, PAGE_DOCUMENTS } from '#shared/store/pages.ts';
import { WakeUp } from '#shared/store/wake-up.ts';
import type { Arrived, Arriving, StoredDocument } from '#shared/store/store.ts';
import { askedJson } from '../read/wire/query-json.ts';
import { isDocument } from './answer-forms.ts';
import { EventLines, type ServerEvent } from './event-lines.ts';
import { errorIn, type ReadClient } from './read-client.ts';

export interface ArrivalsOptions {
  readonly client: ReadClient;
  readonly clock: Clock;
}

/** After a connection that brought nothing, or came to nothing. */
const RETRY_MS = 500;
/** There is a sign of life every 15 s. */
const SILENT_MAX_MS = 45_000;

export class Arrivals implements Disposable {
  readonly #options: ArrivalsOptions;
  readonly #news = new WakeUp();
  #tail: Tail | null = null;
  /** What the tail answers, and behind which place its asker goes on. */
  #key = '';
  #asked: number | null = null;
  /** How far it has got there: less than that, where the store was begun anew. */
  #reached: number | null = null;
  /** Before that nothing is tried again, by the monotonic clock. */
  #retryMs = 0;

  constructor(options: ArrivalsOptions) {
    this.#options = options;
  }

  /** As `Store.arrived` says. */
  async arrived(query: Arriving, after: number | null, signal?: AbortSignal): Promise<Arrived> {
    const body = { query: askedJson(query) };
    const key = JSON.stringify(body);
    if (after === null || key !== this.#key || after !== this.#asked) {
      this.#end();
      this.#reached = after;
    }
    this.#key = key;
    this.#asked = after;
    if (this.#tail?.isOver === true) {
      const { failure, hasBrought } = this.#tail;
      this.#end();
      if (!hasBrought) this.#retryLater();
      if (failure !== null) throw failure;
    }
    this.#tail ??= await this.#open(body, this.#reached, signal);
    // What has come by now is read, however soon somebody asks again.
    if (!this.#tail.hasMore) await nextTurn();
    const documents = after === null ? [] : this.#tail.take();
    const { place, hasMore } = this.#tail;
    this.#reached = place;
    // Whoever asks goes on behind the greater one.
    this.#asked = Math.max(after ?? 0, place);
    return { documents, place, isMore: hasMore && after !== null };
  }

  /** As `Store.nextArrival` says: the connection has brought something, or its end. */
  nextArrival(): Promise<void> {
    return this.#news.next;
  }

  [Symbol.dispose](): void {
    this.#end();
  }

  async #open(body: unknown, after: number | null, signal: AbortSignal | undefined): Promise<Tail> {
    const { client, clock } = this.#options;
    const waitMs = this.#retryMs - clock.monotonicMs();
    if (waitMs > 0) await clock.sleep(waitMs, signal);
    const headers = after === null ? {} : { 'last-event-id': String(after) };
    let tail: Tail | null = null;
    try {
      const answer = await client.begin({ path: 'tail', body, headers, signal, beginsMs: SILENT_MAX_MS });
      tail = new Tail(answer, { broken: (error) => client.broken(error), heard: () => this.#news.wake() });
      await tail.begun(signal);
      return tail;
    } catch (error) {
      tail?.end();
      this.#retryLater();
      throw error;
    }
  }

  #retryLater(): void {
    this.#retryMs = this.#options.clock.monotonicMs() + RETRY_MS;
  }

  #end(): void {
    this.#tail?.end();
    this.#tail = null;
  }
}

interface TailOptions {
  readonly broken: (error: unknown) => SluiceError;
  /** It has brought something, or ended. */
  readonly heard: () => void;
}

/** One connection. It is read while less is kept than an answer takes. */
class Tail {
  readonly #answer: IncomingMessage;
  readonly #options: TailOptions;
  readonly #lines = new EventLines();
  readonly #kept: { readonly document: StoredDocument; readonly chars: number }[] = [];
  #chars = 0;
  readonly #start = Promise.withResolvers<void>();
  /** Of the last document that was taken; before that, where the tail began. */
  #place: number | null = null;
  /** A comment behind all documents that are kept. */
  #idle: number | null = null;
  #isOver = false;
  hasBrought = false;
  /** Why it was ended there; null: the connection ended, and another may go on. */
  failure: SluiceError | null = null;

  constructor(answer: IncomingMessage, options: TailOptions) {
    this.#answer = answer;
    this.#options = options;
    this.#start.promise.catch(() => undefined);
    answer.setEncoding('utf8');
    answer.on('data', (text: string) => this.#read(text));
    answer.on('error', (error) => this.#over(error));
    answer.on('close', () => this.#over(new Error('the connection was closed')));
    answer.socket.setTimeout(SILENT_MAX_MS, () => answer.destroy(new Error('it says nothing any more')));
  }

  /** Whether nothing comes any more. What it brought is there still. */
  get isOver(): boolean {
    return this.#isOver && this.#kept.length === 0;
  }

  get hasMore(): boolean {
    return this.#kept.length > 0;
  }

  /** All up to there was taken. */
  get place(): number {
    return this.#place ?? 0;
  }

  /** Resolves when it is known where it begins. */
  async begun(signal: AbortSignal | undefined): Promise<void> {
    await (signal === undefined ? this.#start.promise : unlessAborted(this.#start.promise, signal));
  }

  /** What there is by now; a little more than a page of a store at most. */
  take(): StoredDocument[] {
    const documents = this.#kept.splice(0, PAGE_DOCUMENTS).map(({ document, chars }) => {
      this.#chars -= chars;
      return document;
    });
    const last = documents.at(-1);
    if (last !== undefined) this.#place = Number(last.sort[2]);
    if (this.#kept.length === 0 && this.#idle !== null) {
      this.#place = Math.max(this.#place ?? 0, this.#idle);
      this.#idle = null;
    }
    this.#answer.resume();
    return documents;
  }

  end(): void {
    this.#answer.destroy();
  }

  #read(text: string): void {
    try {
      for (const event of this.#lines.add(text)) this.#event(event);
    } catch (error) {
      this.#over(error);
      this.#answer.destroy();
    }
    if (this.#kept.length >= PAGE_DOCUMENTS || this.#chars >= PAGE_BYTES) this.#answer.pause();
    this.#options.heard();
  }

  #event({ id, data, name }: ServerEvent): void {
    if (name === 'end') {
      const { code, message } = errorIn(data);
      // One that stops is asked again when it is there again, as one that is gone.
      if (code !== null && code !== 'shutting_down') this.failure = new SluiceError(code, message);
      return;
    }
    if (!/^\d{1,15}$/.test(id)) throw new Error('it has an event without a place');
    if (data !== '') {
      const document: unknown = parseExactJson(data);
      if (!isDocument(document)) throw new Error('it has an event that is no document');
      this.#kept.push({ document, chars: data.length });
      this.#chars += data.length;
      this.hasBrought = true;
      return;
    }
    if (this.#place === null) {
      this.#place = Number(id);
      this.#start.resolve();
    } else this.#idle = Number(id);
  }

  #over(error: unknown): void {
    this.#isOver = true;
    this.#start.reject(this.failure ?? this.#options.broken(error));
    this.#options.heard();
  }
}
