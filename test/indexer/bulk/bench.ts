// A bulk writer over a store in memory, for its tests: batches of numbered documents in, outcomes in a ledger out,
// under a clock of the test's own.

import assert from 'node:assert/strict';
import { BulkBody } from '#indexer/bulk/body.ts';
import { ConcurrencyLimit } from '#indexer/bulk/concurrency.ts';
import type { BulkBatch, ItemRange } from '#indexer/settle/bulk-batch.ts';
import type { RefusedItem } from '#indexer/settle/outcomes.ts';
import { BulkWriter } from '#indexer/bulk/writer.ts';
import { Assignment, RecordInHand } from '#indexer/commit/in-hand.ts';
import { Ledger } from '#indexer/settle/ledger.ts';
import { BulkTelemetry } from '#indexer/settle/bulk-telemetry.ts';
import { ByteBudget } from '#shared/byte-budget.ts';
import { Metrics } from '#shared/metrics.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { MemoryStore, type StoreHooks } from '#test/memory/store.ts';
import { seeded } from '../world.ts';

export const SKEW_MS = 60_000;

/** A writer over a store in memory, whose documents are numbers of an index. */
export class Bench {
  readonly clock: VirtualClock;
  readonly store: MemoryStore;
  readonly logged: string[] = [];
  readonly ledger = new Ledger({ consumed: () => undefined, ended: () => undefined });
  readonly limit: ConcurrencyLimit;
  readonly deadLettered: RefusedItem[] = [];
  readonly writer: BulkWriter;
  assignment = new Assignment(1, [{ partition: 0, next: 0 }]);
  deadLettersWork = Promise.resolve();
  readonly #budget = new ByteBudget(1e9);
  #offset = 0;

  constructor(hooks: StoreHooks = {}, { askForAll = false, store = null as MemoryStore | null } = {}) {
    const { ledger, logged } = this;
    const clock = new VirtualClock();
    const limit = new ConcurrencyLimit(4, clock);
    this.clock = clock;
    this.limit = limit;
    this.store = store ?? new MemoryStore(clock, hooks);
    const note = (event: string): void => void logged.push(event);
    const log = { debug: note, info: note, warn: note, error: note };
    this.writer = new BulkWriter({
      store: this.store,
      ledger,
      limit,
      clock,
      random: seeded(1),
      telemetry: new BulkTelemetry(new Metrics({ version: 'test', command: 'test' }), log, clock),
      refusals: {
        // As text each document has another content.
        asText: async (batch) =>
          this.batchOf(
            batch.ranges,
            batch.request.items.map((item) => item.index),
            true,
          ),
        deadLetter: async (_, items) => {
          await this.deadLettersWork;
          this.deadLettered.push(...items);
        },
      },
      timeoutMs: 10_000,
      bodyBytesMax: 65_536,
      waitingBytesMax: 40_000,
      clockSkewMs: SKEW_MS,
      askForAll,
    });
  }

  batchOf(ranges: readonly ItemRange[], indices: readonly string[], asText = false): BulkBatch {
    const body = new BulkBody();
    let item = 0;
    for (const { batch, index, count } of ranges) {
      for (let i = 0; i < count; i++) {
        body.start(`logs-${indices[item++ % indices.length]}`.replace('logs-logs', 'logs'), batch, index + i);
        body.json.ascii(`{"@timestamp":"2026-01-02T03:04:05Z","n":${index + i},"as_text":${asText}}`);
        body.end();
      }
    }
    return { request: body.request(), ranges, asText };
  }

  /** One record of `count` events, which go to the indices in turn. A name of bytes is of version 2. */
  batch(
    count: number,
    indices: readonly string[],
    receivedMs = this.clock.epochMs(),
    id: number | Uint8Array = this.#offset,
  ): BulkBatch {
    const offset = this.#offset++;
    const fetched = { partition: 0, offset, timestampMs: 0, headers: {}, value: new Uint8Array() };
    const record = new RecordInHand(this.assignment, fetched, this.#budget.take(0));
    this.ledger.open(record, count);
    const batch = {
      version: typeof id === 'number' ? (1 as const) : (2 as const),
      id: typeof id === 'number' ? Buffer.alloc(16, id) : id,
      chain: null,
      first: 0,
      count,
      tag: 't',
      input: 'forward',
      tenant: null,
      receivedMs,
      seq: 0,
      sender: 's',
    };
    return this.batchOf([{ record, batch, entry: 0, index: 0, count, parts: null, line: null }], indices);
  }

  get next(): number {
    return this.assignment.partitions.get(0)?.next ?? -1;
  }

  check(): void {
    assert.equal(this.ledger.imbalance, 0, JSON.stringify(this.ledger.counts));
  }
}
