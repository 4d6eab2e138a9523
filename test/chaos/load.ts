// What is sent in a run: our own senders in a process of their own (sender.ts), and beside them, at a low rate, a
// client that people use. Everything that they say was sent and acked goes into the books.

import { type ChildProcess, fork } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { sendBy } from '#test/clients/installed.ts';
import { Books } from './books.ts';
import type { SenderMessage, Wish } from './sender.ts';

const client = 'npm-fluent-org';
const clientEvents = 40;
const clientPauseMs = 5000;
const clientLimitMs = 90_000;
/** Tag of a run of the real client: this, then the number of the run. */
export const clientTag = 'chaos-client.';

export interface LoadOptions {
  /** Of the run; chunk ids begin with it. */
  readonly name: string;
  /** Addresses of the forwarders, as senders see them. */
  readonly ports: readonly number[];
  /** Senders for each forwarder. */
  readonly senders: number;
  /** All senders together. */
  readonly eventsPerSecond: number;
  /** Whether the client that people use sends too; it does unless told otherwise. */
  readonly realClient?: boolean;
}

export class Load implements AsyncDisposable {
  readonly books = new Books();
  /** Each run of the real client is a sender with one chunk. It gives new ids when it sends again, so it may double. */
  readonly clientBooks = new Books();
  /** 'sent': a chunk has just gone out. */
  readonly #sent = new EventEmitter();
  readonly #options: LoadOptions;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #finishing = new AbortController();
  readonly #closing = new AbortController();
  #clients: Promise<void>;
  #resent = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    const { ports, senders, eventsPerSecond, name } = options;
    const portOfEach = Array.from({ length: senders * ports.length }, (_, i) => String(ports[i % ports.length]));
    this.#child = fork(join(import.meta.dirname, 'sender.ts'), [String(eventsPerSecond), name, ...portOfEach], {
      // Ctrl-C is for us to see; it ends when the channel to us closes.
      detached: true,
    });
    this.#ended = once(this.#child, 'exit');
    this.#child.on('message', (message) => this.#heard(message as SenderMessage));
    this.#clients = options.realClient === false ? Promise.resolve() : this.#runClients();
  }

  get resentChunks(): number {
    return this.#resent;
  }

  /** Waits for something to be on its way, if nothing is; at most so long. */
  async inFlight(waitMs: number): Promise<number> {
    if (this.books.inFlight === 0) {
      await Promise.race([once(this.#sent, 'sent'), delay(waitMs, undefined, { ref: false })]);
    }
    return this.books.inFlight;
  }

  /** Has a sender send a chunk of this kind, beside what it sends anyway. */
  sendOne(kind: 'big' | 'torn'): void {
    this.#tell(kind);
  }

  /** Sends nothing new; resolves when all is acked. */
  async finish(): Promise<void> {
    this.#finishing.abort();
    this.#tell('finish');
    await Promise.all([this.#ended, this.#clients]);
  }

  #tell(wish: Wish): void {
    if (this.#child.connected) this.#child.send(wish);
  }

  #heard(message: SenderMessage): void {
    if (message[0] === 'sent') {
      this.books.send(message[1], message[3], message[4]);
      this.#sent.emit('sent');
    } else if (message[0] === 'acked') this.books.ack(message[1], message[2]);
    else if (message[0] === 'resent') this.#resent++;
  }

  async #runClients(): Promise<void> {
    const { ports } = this.#options;
    for (let run = 0; !this.#finishing.signal.aborted; run++) {
      this.clientBooks.send(run, clientEvents);
      const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(clientLimitMs)]);
      const port = ports[run % ports.length] ?? 0;
      await sendBy(client, { port, tag: `${clientTag}${run}`, count: clientEvents, ack: true, signal }).then(
        () => this.clientBooks.ack(run, 0),
        () => undefined, // It gave up: nothing was promised.
      );
      await delay(clientPauseMs, undefined, { signal: this.#finishing.signal }).catch(() => undefined);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#finishing.abort();
    this.#closing.abort();
    this.#child.kill('SIGKILL');
    await Promise.allSettled([this.#ended, this.#clients]);
  }
}
