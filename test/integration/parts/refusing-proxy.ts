// Stands in front of a real Elasticsearch and, while told to, refuses a share of the items of each bulk request with
// 429, as a node does whose write queue is full: those items never reach the real one. Everything else passes as it is.
// It can also be slow.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '#test/backends/free-port.ts';

const REFUSED = {
  create: {
    status: 429,
    error: { type: 'es_rejected_execution_exception', reason: 'rejected execution: the write queue is full' },
  },
};

interface BulkAnswer {
  items?: unknown[];
}

export class RefusingProxy implements AsyncDisposable {
  /** Of the items of a bulk request, between 0 and 1. */
  refusedShare = 0;
  /** How much longer each bulk request takes. */
  bulkDelayMs = 0;
  refused = 0;
  passed = 0;
  readonly url: string;
  #bulk = Promise.withResolvers<void>();
  readonly #to: string;
  readonly #server = createServer((request, response) => {
    // The real one is away: the connection ends without an answer.
    this.#answer(request, response).catch(() => response.destroy());
  });

  private constructor(to: string, port: number) {
    this.#to = to;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(to: string): Promise<RefusingProxy> {
    const port = await freePort();
    const proxy = new RefusingProxy(to, port);
    proxy.#server.listen(port, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** Resolves when the next bulk request has its answer. */
  nextBulk(): Promise<void> {
    this.#bulk = Promise.withResolvers();
    return this.#bulk.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>));
    const { method = 'GET', url = '/', headers } = request;
    const isBulk = url.startsWith('/_bulk');
    if (isBulk) await delay(this.bulkDelayMs);
    const { taken, kept } = isBulk && this.refusedShare > 0 ? this.#choose(body) : { taken: body, kept: null };
    const isNothing = taken.length === 0 && kept !== null;
    const answer = isNothing ? null : await this.#forward(method, url, headers['content-type'], taken);
    let text = answer?.text ?? '{"items":[]}';
    if (kept !== null && (answer?.status ?? 200) === 200) {
      const items = (JSON.parse(text) as BulkAnswer).items?.values();
      text = JSON.stringify({ errors: true, items: kept.map((isKept) => (isKept ? items?.next().value : REFUSED)) });
    }
    response.writeHead(answer?.status ?? 200, {
      'content-type': 'application/json',
      'x-elastic-product': 'Elasticsearch',
    });
    response.end(text);
    if (isBulk) this.#bulk.resolve();
  }

  /** The items that go on, as a body, and for each item whether it does. */
  #choose(body: Buffer): { taken: Buffer; kept: boolean[] } {
    const lines = body.toString().split('\n');
    const kept: boolean[] = [];
    let taken = '';
    for (let at = 0; at + 1 < lines.length; at += 2) {
      const isKept = Math.random() >= this.refusedShare;
      kept.push(isKept);
      if (isKept) taken += `${lines[at]}\n${lines[at + 1]}\n`;
    }
    const passed = kept.filter(Boolean).length;
    this.passed += passed;
    this.refused += kept.length - passed;
    return { taken: Buffer.from(taken), kept };
  }

  async #forward(method: string, url: string, type: string | undefined, body: Buffer) {
    const hasBody = method !== 'GET' && method !== 'HEAD';
    const answer = await fetch(this.#to + url, {
      method,
      headers: { accept: 'application/json', ...(type === undefined ? {} : { 'content-type': type }) },
      ...(hasBody ? { body: new Uint8Array(body) } : {}),
    });
    return { status: answer.status, text: await answer.text() };
  }
}
