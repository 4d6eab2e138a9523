// An indexer between a queue and a store in memory, under a clock of the test's own: what the tests of the indexer have
// in common. Events are numbered; at the end `check` wants each of them once, the ledger closed, and the offsets where
// they belong.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { DrainOptions } from '#indexer/shells/drain.ts';
import { type Indexer, startIndexer } from '#indexer/shells/main.ts';
import { loadConfig } from '#shared/config/load.ts';
import type { Config } from '#shared/config/settings.ts';
import type { Log } from '#shared/log.ts';
import { Metrics } from '#shared/metrics.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { compress } from '#shared/record/compression.ts';
import { type Batch, type Encoding, encodeBatches } from '#shared/record/record.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { MemoryQueue } from '#test/memory/queue.ts';
import { MemoryStore } from '#test/memory/store.ts';

/** A seeded generator of numbers in [0, 1) (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export interface WorldOptions {
  readonly partitions?: number;
  readonly seed?: number;
  readonly env?: Record<string, string>;
}

export class World {
  readonly clock = new VirtualClock();
  readonly queue: MemoryQueue;
  readonly store: MemoryStore;
  readonly logged: string[] = [];
  readonly config: Config;
  readonly random: () => number;
  /** Events that were appended. */
  sent = 0;
  batches = 0;
  readonly #writer = new MsgpackWriter();

  constructor({ partitions = 3, seed = 1, env = {} }: WorldOptions = {}) {
    this.queue = new MemoryQueue(partitions, { epochMs: () => this.clock.epochMs() });
    this.store = new MemoryStore(this.clock);
    this.random = seeded(seed);
    this.config = loadConfig({ env: { SLUICE_BULK_MAX_BYTES: '65536', ...env }, readFile: () => '' });
  }

  get log(): Log {
    const note = (event: string): void => void this.logged.push(event);
    return { debug: note, info: note, warn: note, error: note };
  }

  /** What an indexer is given, with a registry of its own. */
  get options(): Omit<DrainOptions, 'signal'> {
    const { config, queue, store, log, clock, random } = this;
    return { config, queue, store, metrics: new Metrics({ version: 'test', command: 'test' }), log, clock, random };
  }

  start(): Promise<Indexer> {
    return startIndexer(this.options);
  }

  batch(count: number, first = 0, tag = 'app.web'): Batch {
    const number = this.batches++;
    const id = createHash('sha256').update(`batch ${number}`).digest().subarray(0, 16);
    return {
      id,
      first,
      count,
      tag,
      input: 'forward',
      tenant: null,
      receivedMs: this.clock.epochMs(),
      seq: 1000 * number,
      sender: 'node-1',
      version: 2,
      chain: null,
    };
  }

  /** The entry of a record with these fields. */
  entry(fields: Readonly<Record<string, string | number>>): Buffer {
    const writer = this.#writer;
    writer.reset();
    writer.arrayHeader(2);
    writer.eventTime(Math.floor(this.clock.epochMs() / 1000), 123_456_789);
    writer.mapHeader(Object.keys(fields).length);
    for (const [key, value] of Object.entries(fields)) {
      writer.string(key);
      if (typeof value === 'string') writer.string(value);
      else writer.integer(value);
    }
    return writer.take();
  }

  /** Appends one record of batches of these sizes, with numbered events; `text` follows the number in each message. */
  async send(partition: number, sizes: readonly number[], encoding: Encoding = 'zstd', text = ''): Promise<void> {
    const entries: Buffer[] = [];
    for (const size of sizes) {
      for (let i = 0; i < size; i++)
        entries.push(this.entry({ log: `event ${this.sent++} ${text}`, container_name: '/web' }));
    }
    await this.sendEntries(
      partition,
      sizes.map((size) => this.batch(size)),
      entries,
      encoding,
    );
  }

  async sendEntries(
    partition: number,
    batches: readonly Batch[],
    entries: readonly Buffer[],
    encoding: Encoding = 'identity',
  ): Promise<void> {
    const bytes = Buffer.concat(entries);
    const value = encoding === 'zstd' ? await compress(bytes) : bytes;
    await this.queue.append(partition, [{ encoding, batches: encodeBatches(batches), value }]);
  }

  /** Numbers of the events that are in the store; each document must be of another. */
  get found(): Set<number> {
    const numbers = new Set<number>();
    for (const document of this.store.documents.values()) {
      const number = /event (\d+) /.exec(String(document['message']))?.[1];
      if (number === undefined) continue;
      assert(!numbers.has(Number(number)), `event ${number} is there once`);
      numbers.add(Number(number));
    }
    return numbers;
  }

  get isCommitted(): boolean {
    return this.queue.logs.every(
      (_, partition) => (this.queue.committed.get(partition) ?? 0) === this.queue.end(partition),
    );
  }

  /** Goes on until everything is committed. */
  async drained(limitMs = 3_600_000): Promise<void> {
    await this.clock.when(() => this.isCommitted, limitMs);
  }

  /** Each event once in the store (but `without`), and the ledgers closed. */
  check(indexers: readonly Indexer[], without = 0): void {
    assert.equal(this.found.size, this.sent - without);
    for (const { ledger } of indexers) {
      assert.equal(ledger.imbalance, 0, JSON.stringify({ ...ledger.counts, inFlight: ledger.inFlight }));
      assert.equal(ledger.inFlight, 0);
    }
  }
}
