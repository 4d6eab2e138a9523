// Dead letters of refused documents: what they take in memory while the queue does not take them, and that none is lost
// or comes twice.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BulkBatch } from '#indexer/settle/bulk-batch.ts';
import { Assignment, RecordInHand } from '#indexer/commit/in-hand.ts';
import { RecordRefusals } from '#indexer/pipeline/refusals.ts';
import { LedgerTelemetry } from '#indexer/settle/ledger-telemetry.ts';
import type { Decompress } from '#indexer/unpack/unpack.ts';
import { ByteBudget } from '#shared/byte-budget.ts';
import { SluiceError } from '#shared/errors.ts';
import { Metrics } from '#shared/metrics.ts';
import type { DeadLetter, FetchedRecord } from '#shared/queue/queue.ts';
import { type Batch, encodeBatches } from '#shared/record/record.ts';
import { World } from '../world.ts';

const KIB = 1024;
const UNAVAILABLE = new SluiceError('queue_unavailable', 'Cannot append: it is away');

interface Opened {
  readonly record: RecordInHand;
  readonly batch: Batch;
  readonly entries: readonly Buffer[];
}

/** Refusals with dead letters that take nothing until they are told to. */
class DeadLettering {
  readonly world = new World();
  readonly budget = new ByteBudget(4 * 256 * KIB);
  readonly assignment = new Assignment(1, [{ partition: 0, next: 0 }]);
  readonly abort = new AbortController();
  readonly refusals: RecordRefusals;
  isAway = true;
  /** Values of dead letters that were tried, by where they come from and their index. */
  readonly tried = new Map<string, number>();
  readonly taken: DeadLetter[] = [];
  /** What was opened; its memory is given back by hand. */
  readonly opened: Uint8Array[] = [];
  mostOpen = 0;
  #next = 0;

  constructor({ appendBytesMax = 64 * KIB } = {}) {
    const { world } = this;
    const decompress: Decompress = async (bytes) => {
      const own = new Uint8Array(bytes);
      this.opened.push(own);
      this.mostOpen = Math.max(this.mostOpen, this.open);
      return own;
    };
    this.refusals = new RecordRefusals({
      queue: {
        appendBytesMax,
        appendDeadLetters: async (deadLetters) => {
          for (const { from, index, value } of deadLetters) this.tried.set(`${from} ${index}`, value.buffer.byteLength);
          if (this.isAway) throw UNAVAILABLE;
          this.taken.push(...deadLetters);
        },
      },
      telemetry: new LedgerTelemetry(new Metrics({ version: 'test', command: 'test' }), world.log),
      clock: world.clock,
      random: world.random,
      positionOf: ({ partition, offset }: FetchedRecord) => `logs/${partition}/${offset}`,
      unpacking: { bytesMax: 64 * 1024 * KIB, decompress },
      budget: this.budget,
      documentBytesMax: 1024 * KIB,
    });
  }

  /**
   * Of the records that were opened, those that are in memory. Small ones may share theirs with others, and are left to
   * the collector.
   */
  get open(): number {
    const isIn = ({ buffer, length }: Uint8Array): boolean =>
      length > Buffer.poolSize && !(buffer as ArrayBuffer).detached;
    return this.opened.filter(isIn).length;
  }

  record(sizes: readonly number[]): Opened {
    const entries = sizes.map((size, i) => this.world.entry({ log: `${i} `.padEnd(size, 'x') }));
    const batch = this.world.batch(entries.length);
    const text = (value: string): Buffer => Buffer.from(value);
    const headers = { v: text('2'), encoding: text('zstd'), batches: encodeBatches([batch]) };
    const fetched = { partition: 0, offset: this.#next++, timestampMs: 0, headers, value: Buffer.concat(entries) };
    const record = new RecordInHand(this.assignment, fetched, this.budget.take(0));
    return { record, batch, entries };
  }

  /** All entries of the record, as a batch that was refused. */
  batch({ record, batch, entries }: Opened, entry = 0, count = entries.length): BulkBatch {
    const range = { record, batch, entry, index: entry, count, parts: null, line: null };
    return { request: { body: Buffer.alloc(0), items: [] }, ranges: [range], asText: true };
  }

  deadLetter(batch: BulkBatch): Promise<void> {
    return this.refusals.deadLetter(batch, [], this.abort.signal);
  }

  /** All that can go on without the dead letters has gone on. */
  settled(): Promise<void> {
    return this.world.clock.advance(1000);
  }

  async allTaken(pendingDeadLetters: readonly Promise<void>[], records: readonly Opened[]): Promise<void> {
    this.isAway = false;
    await this.world.clock.until(Promise.all(pendingDeadLetters));
    const wanted = records.flatMap(({ entries }) => entries);
    const names = this.taken.map(({ from, index }) => `${from} ${index}`);
    assert.equal(new Set(names).size, wanted.length, 'each is there');
    assert.equal(names.length, wanted.length, 'once');
    const entryOf = new Map(
      records.flatMap(({ record, entries }) => entries.map((e, i) => [`logs/0/${record.fetched.offset} ${i}`, e])),
    );
    for (const { from, index, value } of this.taken)
      assert.ok(entryOf.get(`${from} ${index}`)?.equals(value), `${from} ${index} is the entry`);
    assert.equal(this.budget.bytesHeld, 0);
    assert.equal(this.open, 0);
  }
}

test('dead letters that wait keep no record open, however many records they are of', async () => {
  const deadLettering = new DeadLettering();
  const records = Array.from({ length: 25 }, () => deadLettering.record([5000, 200_000]));
  const pendingDeadLetters = records.map((record) => deadLettering.deadLetter(deadLettering.batch(record, 0, 1)));
  await deadLettering.settled();
  assert.equal(deadLettering.mostOpen, 1);
  assert.equal(deadLettering.open, 0);
  assert.equal(deadLettering.tried.size, records.length);
  for (const bytes of deadLettering.tried.values()) assert.ok(bytes < 10_000, `a dead letter takes ${bytes} bytes`);
  // 5,000 bytes and 4 KiB each; of the records nothing.
  assert.ok(deadLettering.budget.bytesHeld < 25 * 10_000, String(deadLettering.budget.bytesHeld));
  deadLettering.isAway = false;
  await deadLettering.world.clock.until(Promise.all(pendingDeadLetters));
  assert.equal(deadLettering.taken.length, records.length);
  assert.equal(deadLettering.budget.bytesHeld, 0);
});

test('many that want one record are served while it is open', async () => {
  const deadLettering = new DeadLettering();
  const record = deadLettering.record(Array<number>(20).fill(300));
  const pendingDeadLetters = record.entries.map((_, entry) =>
    deadLettering.deadLetter(deadLettering.batch(record, entry, 1)),
  );
  await deadLettering.settled();
  assert.equal(deadLettering.opened.length, 1);
  await deadLettering.allTaken(pendingDeadLetters, [record]);
});

test('no more dead letters are made than may wait; the rest is made when these are held', async () => {
  const deadLettering = new DeadLettering();
  const records = Array.from({ length: 40 }, () => deadLettering.record([20_000, 20_000, 20_000]));
  const pendingDeadLetters = records.map((record) => deadLettering.deadLetter(deadLettering.batch(record)));
  await deadLettering.settled();
  // A quarter of the budget: 10 dead letters of 20,000 bytes and 4 KiB.
  assert.ok(
    deadLettering.tried.size >= 9 && deadLettering.tried.size <= 10,
    `${deadLettering.tried.size} letters were made`,
  );
  assert.ok(deadLettering.budget.bytesHeld <= 256 * KIB);
  assert.equal(deadLettering.open, 0);
  await deadLettering.allTaken(pendingDeadLetters, records);
});

test('a dead letter that is larger than all that may wait has it alone', async () => {
  const deadLettering = new DeadLettering();
  const records = [
    deadLettering.record([1000]),
    deadLettering.record([400_000, 1000, 300_000]),
    deadLettering.record([1000, 400_000]),
  ];
  const pendingDeadLetters = records.map((record) => deadLettering.deadLetter(deadLettering.batch(record)));
  await deadLettering.settled();
  assert.ok(deadLettering.budget.bytesHeld <= 256 * KIB);
  await deadLettering.allTaken(pendingDeadLetters, records);
});

test('one append has dead letters of many small records', async () => {
  const deadLettering = new DeadLettering();
  const records = Array.from({ length: 12 }, () => deadLettering.record([100]));
  const ranges = records.flatMap((record) => deadLettering.batch(record).ranges);
  const appended = deadLettering.deadLetter({ request: { body: Buffer.alloc(0), items: [] }, ranges, asText: true });
  await deadLettering.settled();
  assert.equal(deadLettering.tried.size, records.length);
  await deadLettering.allTaken([appended], records);
});

test('who is stopped while waiting, for dead letters or for room, gives everything back', async () => {
  const deadLettering = new DeadLettering();
  const records = Array.from({ length: 20 }, () => deadLettering.record([100_000, 10]));
  const pendingDeadLetters = records.map((record) => deadLettering.deadLetter(deadLettering.batch(record)));
  const ended = Promise.allSettled(pendingDeadLetters);
  await deadLettering.settled();
  assert.ok(deadLettering.budget.bytesHeld > 0);
  deadLettering.abort.abort();
  for (const { status } of await deadLettering.world.clock.until(ended)) assert.equal(status, 'rejected');
  assert.equal(deadLettering.budget.bytesHeld, 0);
  assert.equal(deadLettering.open, 0);
});

test('a stop waits for no record to be opened', async () => {
  const deadLettering = new DeadLettering();
  const records = Array.from({ length: 20 }, () => deadLettering.record([1000]));
  const ended = Promise.allSettled(records.map((record) => deadLettering.deadLetter(deadLettering.batch(record))));
  deadLettering.abort.abort();
  for (const { status } of await deadLettering.world.clock.until(ended)) assert.equal(status, 'rejected');
  assert.equal(deadLettering.opened.length, 1, 'the one that was being opened');
  assert.equal(deadLettering.budget.bytesHeld, 0);
});

test('of an assignment that was lost meanwhile no further dead letter is made', async () => {
  const deadLettering = new DeadLettering();
  const records = Array.from({ length: 20 }, () => deadLettering.record([100_000, 10]));
  const pendingDeadLetters = records.map((record) => deadLettering.deadLetter(deadLettering.batch(record)));
  await deadLettering.settled();
  const made = deadLettering.tried.size;
  deadLettering.assignment.isRevoked = true;
  deadLettering.isAway = false;
  await deadLettering.world.clock.until(Promise.all(pendingDeadLetters));
  assert.ok(deadLettering.taken.length <= made + 2, `${deadLettering.taken.length} of ${made}`);
  assert.equal(deadLettering.budget.bytesHeld, 0);
});
