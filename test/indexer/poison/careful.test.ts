// Suspect partitions of an indexer, with a stand-in for the child process: what is tried out, what becomes of poison,
// what goes on meanwhile, and when it is over.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { drainIndexer } from '#indexer/shells/drain.ts';
import { type Indexer, startIndexer } from '#indexer/shells/main.ts';
import type { RecordOpener, OpeningResult } from '#indexer/poison/opener.ts';
import { SluiceError } from '#shared/errors.ts';
import type { FetchedRecord } from '#shared/queue/queue.ts';
import { World } from '../world.ts';

/** Tries records out as the test says, and notes which. */
class Opener implements RecordOpener {
  unhealthyReason: string | null = null;
  readonly tried: string[] = [];
  readonly #world: World;
  /** What is found of a record, after `takesMs`. */
  find: (record: FetchedRecord) => OpeningResult = () => ({ kind: 'well' });
  takesMs = (_record: FetchedRecord): number => 1000;
  /** Tries that were ended from outside. */
  aborted = 0;
  /** No child can be started as long as this is pending. */
  ready: Promise<void> = Promise.resolve();

  constructor(world: World) {
    this.#world = world;
  }

  async open(record: FetchedRecord, signal: AbortSignal): Promise<OpeningResult> {
    this.tried.push(`${record.partition}/${record.offset}`);
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => (this.aborted++, reject(signal.reason as Error)), { once: true });
    });
    aborted.catch(() => undefined);
    await Promise.race([this.ready, aborted]);
    await this.#world.clock.sleep(this.takesMs(record), signal);
    return this.find(record);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

async function arrange(env: Record<string, string> = {}) {
  const world = new World({ partitions: 2, env });
  world.queue.hooks = { ...world.queue.hooks, countsTries: true };
  const opener = new Opener(world);
  const start = (): Promise<Indexer> => startIndexer({ ...world.options, opener });
  /** The group goes to pieces before anything was committed, so many times. */
  const shake = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i++) {
      world.queue.rebalance();
      await world.clock.settle();
    }
  };
  return { world, opener, start, shake };
}

const poisonous = (offset: number, partition = 0): Opener['find'] => {
  return (record) =>
    record.partition === partition && record.offset === offset
      ? { kind: 'poison', harm: 'died', what: 'it was ended by SIGKILL while making documents', events: 4 }
      : { kind: 'well' };
};

suite('suspect partitions', () => {
  test('a healthy partition is never tried out, however long it takes', async () => {
    const { world, opener, start } = await arrange();
    for (let i = 0; i < 20; i++) await world.send(i % 2, [5]);
    const indexer = await start();
    await world.drained();
    for (let i = 0; i < 20; i++) await world.send(i % 2, [5]);
    await world.drained();
    await world.clock.until(indexer.stop());
    world.check([indexer]);
    assert.deepEqual(opener.tried, []);
  });

  test('poison is a dead letter with what happened; all else is indexed, each once', async () => {
    const { world, opener, start, shake } = await arrange();
    for (let i = 0; i < 12; i++) await world.send(0, [4]);
    opener.find = poisonous(5);
    const indexer = await start();
    await world.clock.settle();
    await shake(2);
    await world.drained();
    await world.clock.until(indexer.stop());
    world.check([indexer], 4);
    const [deadLetter, ...others] = world.queue.letters;
    assert(deadLetter);
    assert.equal(others.length, 0);
    const { reason, from, index, error } = deadLetter;
    assert.deepEqual([reason, from, index], ['record_poisonous', 'sluice.logs/0/5', undefined]);
    assert.match(error, /ended by SIGKILL while making documents/);
    assert.equal(indexer.ledger.counts.dead_lettered, 4);
    assert.ok(world.logged.includes('partition_suspect') && world.logged.includes('record_poisonous'));
  });

  test('what was fetched before the first commit is tried out, and nothing behind it', async () => {
    const { world, opener, start, shake } = await arrange();
    for (let i = 0; i < 100; i++) await world.send(0, [4]);
    const indexer = await start();
    await world.clock.settle();
    await shake(2);
    await world.drained();
    await world.clock.until(indexer.stop());
    world.check([indexer]);
    const tried = new Set(opener.tried);
    assert.ok(tried.has('0/0') && !tried.has('0/99'), [...tried].join(' '));
    assert.ok(world.logged.includes('partition_trusted'));
  });

  test('the other partitions go on while one is tried out, and its own records keep their order', async () => {
    const { world, opener, start, shake } = await arrange();
    for (let i = 0; i < 6; i++) await world.send(0, [4]);
    let free = (): void => undefined;
    opener.ready = new Promise((resolve) => (free = resolve));
    opener.unhealthyReason = 'no child process can be started';
    const indexer = await start();
    await world.clock.settle();
    await shake(2);
    for (let i = 0; i < 40; i++) await world.send(1, [4]);
    await world.clock.when(() => world.queue.committed.get(1) === 40);
    assert.equal(world.queue.committed.get(0) ?? 0, 0, 'it waits');
    assert.match(indexer.unreadyReason ?? '', /no child process/);
    opener.unhealthyReason = null;
    free();
    await world.drained();
    await world.clock.until(indexer.stop());
    world.check([indexer]);
    assert.deepEqual(opener.tried.slice(-6), ['0/0', '0/1', '0/2', '0/3', '0/4', '0/5']);
  });

  test('they pause nobody else, however much they bring and however long it takes', async () => {
    const { world, opener, shake } = await arrange({ SLUICE_INDEXER_INFLIGHT_MAX_BYTES: '1048576' });
    world.queue.hooks = { ...world.queue.hooks, fetchRecordsMax: 100 };
    const large = 'x'.repeat(100_000);
    for (let i = 0; i < 40; i++) await world.send(0, [1], 'identity', large);
    let free = (): void => undefined;
    opener.ready = new Promise((resolve) => (free = resolve));
    const options = { ...world.options, opener };
    const indexer = await startIndexer(options);
    await world.clock.settle();
    await shake(2);
    await world.clock.advance(5000);
    for (let i = 0; i < 40; i++) await world.send(1, [10]);
    await world.clock.when(() => world.queue.committed.get(1) === 40);
    assert.equal(world.queue.committed.get(0) ?? 0, 0, 'it waits');
    const held = Number(/^sluice_indexer_bytes (\d+)$/m.exec((await options.metrics.render()).body)?.[1]);
    assert(held > 500_000 && held <= 1_048_576, `${held} bytes are held`);
    free();
    await world.drained();
    await world.clock.until(indexer.stop());
    world.check([indexer]);
    const order = opener.tried.map((place) => Number(place.split('/')[1]));
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a - b),
      'what found no room was taken later, in its order',
    );
  });

  test('a record that takes longer than the group is at rest is tried to its end, once', async () => {
    const { world, opener, start, shake } = await arrange();
    for (let i = 0; i < 6; i++) await world.send(0, [4]);
    opener.find = poisonous(0);
    opener.takesMs = (record) => (record.offset === 0 ? 300_000 : 1000);
    const indexer = await start();
    await world.clock.settle();
    await shake(2);
    for (let i = 0; i < 12; i++) {
      await world.clock.advance(40_000);
      world.queue.rebalance();
    }
    await world.drained();
    await world.clock.until(indexer.stop());
    world.check([indexer], 4);
    assert.equal(world.queue.letters.length, 1);
    assert.equal(opener.tried.filter((place) => place === '0/0').length, 1);
  });

  test('a try goes on for its own record only', async () => {
    const { world, opener, start, shake } = await arrange();
    for (let i = 0; i < 3; i++) await world.send(0, [4]);
    opener.takesMs = () => 300_000;
    const indexer = await start();
    await world.clock.settle();
    await shake(2);
    await world.clock.advance(10_000);
    // The offset is of another record now.
    const log = world.queue.log(0);
    const [first] = log;
    assert(first);
    log[0] = { ...first, timestampMs: first.timestampMs + 1 };
    await shake(1);
    await world.clock.advance(10_000);
    assert.deepEqual(opener.tried, ['0/0', '0/0']);
    assert.equal(opener.aborted, 1);
    opener.takesMs = () => 1000;
    await world.clock.until(indexer.stop());
  });

  test('a try ends when its partition goes elsewhere', async () => {
    const { world, opener, start, shake } = await arrange();
    for (let i = 0; i < 3; i++) await world.send(0, [4]);
    opener.takesMs = () => 300_000;
    const first = await start();
    await world.clock.settle();
    await shake(2);
    await world.clock.advance(10_000);
    const second = await startIndexer({ ...world.options, opener: new Opener(world) });
    await world.clock.advance(1000);
    assert.deepEqual([opener.tried, opener.aborted], [['0/0'], 0]);
    world.queue.rebalance(1);
    await world.clock.advance(1000);
    assert.equal(opener.aborted, 1);
    await world.drained();
    for (const indexer of [first, second]) await world.clock.until(indexer.stop());
    world.check([first, second]);
  });

  test('a partition whose store is away is soon read at full speed again', async () => {
    const { world, opener, start, shake } = await arrange();
    for (let i = 0; i < 10; i++) await world.send(0, [4]);
    const indexer = await start();
    await world.clock.settle();
    world.store.down = new SluiceError('store_unavailable', 'away');
    await shake(5);
    await world.clock.advance(120_000);
    world.store.down = null;
    await world.drained();
    const before = opener.tried.length;
    assert.ok(before > 0);
    for (let i = 0; i < 30; i++) await world.send(0, [4]);
    await world.drained();
    await world.clock.until(indexer.stop());
    world.check([indexer]);
    assert.equal(opener.tried.length, before);
    assert.equal(world.queue.letters.length, 0);
  });

  test('a stop, or a loss, in the middle: nothing is settled, and whoever is next takes it again', async () => {
    const { world, opener, start, shake } = await arrange();
    for (let i = 0; i < 6; i++) await world.send(0, [4]);
    opener.ready = new Promise(() => undefined);
    const first = await start();
    await world.clock.settle();
    await shake(2);
    await world.clock.advance(2000);
    await shake(1);
    await world.clock.advance(2000);
    assert.deepEqual(opener.tried, ['0/0']);
    await world.clock.until(first.stop());
    assert.equal(first.ledger.counts.consumed, first.ledger.counts.abandoned);
    opener.ready = Promise.resolve();
    const second = await start();
    await world.drained();
    await world.clock.until(second.stop());
    world.check([first, second]);
  });

  test('a drain job waits for what is tried out, and gets past poison', async () => {
    const { world, opener, start, shake } = await arrange();
    for (let i = 0; i < 8; i++) await world.send(0, [4]);
    opener.find = poisonous(0);
    opener.ready = new Promise(() => undefined);
    const first = await start();
    await world.clock.settle();
    await shake(2);
    await world.clock.until(first.stop());
    opener.ready = Promise.resolve();
    const { signal } = new AbortController();
    const outcome = await world.clock.until(drainIndexer({ ...world.options, opener, signal }));
    assert.deepEqual([outcome.drained, outcome.left], [true, null]);
    assert.equal(world.found.size, world.sent - 4);
    assert.equal(world.queue.letters.length, 1);
  });
});
