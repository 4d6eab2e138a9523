// A good sender by HTTP: numbered events at a steady rate, each request with an Idempotency-Key, sent again until it is
// answered 200.

import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Books } from '#test/chaos/books.ts';

/** Beyond those of test/chaos/sender.ts, in the same books. */
const httpSender = 900;
const eventsPerRequest = 100;
const answerMs = 30_000;
const againMs = 200;
const windowRequests = 8;
const tickMs = 20;

export interface HttpSenderOptions {
  readonly port: number;
  readonly eventsPerSecond: number;
  readonly books: Books;
}

export class HttpSender implements AsyncDisposable {
  readonly #options: HttpSenderOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: windowRequests });
  readonly #stop = new AbortController();
  readonly #giveUp = new AbortController();
  readonly #pending = new Set<Promise<void>>();
  readonly #loop: Promise<void>;
  #chunks = 0;
  #events = 0;

  constructor(options: HttpSenderOptions) {
    this.#options = options;
    this.#loop = this.#run();
  }

  /** Sends nothing new; resolves when all is acked. */
  async finish(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
    await Promise.all(this.#pending);
  }

  async #run(): Promise<void> {
    let due = 0;
    for (let lastMs = performance.now(); !this.#stop.signal.aborted; await delay(tickMs)) {
      const nowMs = performance.now();
      due += (this.#options.eventsPerSecond * (nowMs - lastMs)) / 1000;
      lastMs = nowMs;
      if (due < eventsPerRequest || this.#pending.size >= windowRequests) continue;
      due -= eventsPerRequest;
      const sending = this.#deliver(this.#chunks++).finally(() => this.#pending.delete(sending));
      this.#pending.add(sending);
    }
  }

  async #deliver(chunk: number): Promise<void> {
    const { books } = this.#options;
    let body = '';
    for (let i = 0; i < eventsPerRequest; i++) {
      const n = this.#events++;
      body += `${JSON.stringify({ n, s: httpSender, c: chunk, log: `request=${n} GET /api/v1/items status=200`.padEnd(150, ' abcdefgh') })}\n`;
    }
    books.send(httpSender, eventsPerRequest);
    while (!(await this.#post(body, chunk))) {
      if (this.#giveUp.signal.aborted) return;
      await delay(againMs);
    }
    books.ack(httpSender, chunk);
  }

  #post(body: string, chunk: number): Promise<boolean> {
    return new Promise((resolve) => {
      const sent = request(
        {
          agent: this.#agent,
          host: '127.0.0.1',
          port: this.#options.port,
          method: 'POST',
          path: `/chaos.${httpSender}`,
          timeout: answerMs,
          headers: {
            'content-type': 'application/x-ndjson',
            'content-length': Buffer.byteLength(body),
            'idempotency-key': `siege-${process.pid}-${chunk}`,
          },
        },
        (answer) => void answer.resume().on('close', () => resolve(answer.statusCode === 200)),
      );
      sent.on('timeout', () => sent.destroy());
      sent.on('error', () => resolve(false));
      sent.end(body);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#giveUp.abort();
    this.#stop.abort();
    this.#agent.destroy();
    await Promise.allSettled([this.#loop, ...this.#pending]);
  }
}
