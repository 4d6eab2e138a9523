// A load whose every event has a number: Forward clients with acks, at a rate that can be changed at any moment. It
// knows what was sent and what was acked, so that a test can tell what must be there at the end, and that it is there
// once.

import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { ForwardClient } from '#test/clients/forward-client.ts';
import { field, inElasticsearch } from './documents.ts';

const IDLE_MS = 10;

export interface LoadOptions {
  /** Each has a tag of its own, and so a partition, and one chunk on its way at a time. */
  readonly connections: number;
  readonly eventsPerChunk: number;
  /** Length of an event's message, which no compression makes much shorter. */
  readonly messageBytes: number;
  /** Between the connections, as the nodes of a fleet come one by one; absent: all at once. */
  readonly connectGapMs?: number;
}

export class NumberedLoad implements AsyncDisposable {
  /** Chunks per second of all connections together; Infinity: each as soon as the one before is acked. */
  rate = 0;
  /** Events that were made so far; their numbers are 0 up to this. */
  sent = 0;
  /** Numbers of the events that were acked. */
  readonly acked: number[] = [];
  readonly tags: readonly string[];
  readonly #clients: ForwardClient[] = [];
  readonly #senders: Promise<void>[] = [];
  readonly #options: LoadOptions;
  #ended = false;

  /** `port`: of the Forward input; whoever listens there. */
  constructor(port: number, options: LoadOptions) {
    const name = `load.${randomBytes(4).toString('hex')}`;
    this.#options = options;
    this.tags = Array.from({ length: options.connections }, (_, i) => `${name}.${i}`);
    for (const [i, tag] of this.tags.entries()) this.#senders.push(this.#send(port, tag, i));
  }

  /** Chunks that were sent and are not acked. */
  get unacked(): number {
    return this.#clients.reduce((sum, client) => sum + client.unacked, 0);
  }

  /** Makes no more events; resolves when all that were made are acked. */
  async end(): Promise<void> {
    this.#ended = true;
    await Promise.all(this.#senders);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    for (const client of this.#clients) await client[Symbol.asyncDispose]();
  }

  async #send(port: number, tag: string, place: number): Promise<void> {
    const { connections, eventsPerChunk, messageBytes, connectGapMs = 0 } = this.#options;
    await delay(place * connectGapMs);
    if (this.#ended) return;
    const client = new ForwardClient(port);
    this.#clients.push(client);
    while (!this.#ended) {
      if (this.rate === 0) {
        await delay(IDLE_MS);
        continue;
      }
      const first = this.sent;
      this.sent += eventsPerChunk;
      const numbers = Array.from({ length: eventsPerChunk }, (_, i) => first + i);
      const timeNs = BigInt(Date.now()) * 1_000_000n;
      const events = numbers.map((n) => ({ timeNs, record: { message: textOf(messageBytes), n } }));
      await Promise.all([client.send(tag, events, 'packed'), delay((1000 * connections) / this.rate)]);
      this.acked.push(...numbers);
    }
  }
}

function textOf(length: number): string {
  return randomBytes(Math.ceil((length * 3) / 4)).toString('base64');
}

/**
 * Numbers of the events that are in Elasticsearch under these tags, from the lowest; one that is there twice comes
 * twice.
 */
export async function numbersInElasticsearch(url: string, tags: readonly string[]): Promise<number[]> {
  const documents = await inElasticsearch(url)(tags);
  return documents.map((document) => Number(field(document, 'attributes.n'))).sort((a, b) => a - b);
}
