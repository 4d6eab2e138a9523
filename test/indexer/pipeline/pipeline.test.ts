// The indexer whole, between a queue and a store in memory with faults: at the end every event is there once, the
// ledger is closed, and the offsets are where they belong. Time is virtual, so hours of backoff cost nothing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Indexer } from '#indexer/shells/main.ts';
import { SluiceError } from '#shared/errors.ts';
import { encodeBatches } from '#shared/record/record.ts';
import type { BulkOutcome } from '#shared/store/store.ts';
import type { StoreFault, StoreHooks } from '#test/memory/store.ts';
import { World, type WorldOptions, seeded } from '../world.ts';

const timeout = new SluiceError('store_timeout', 'Cannot write: no answer');
const unavailable = new SluiceError('store_unavailable', 'Cannot write: connection refused');
const rejected: BulkOutcome = {
  status: 429,
  errorType: 'es_rejected_execution_exception',
  errorReason: 'queue is full',
};

/** Some records over all partitions, with large and small batches. */
async function fill(world: World, records = 30): Promise<void> {
  for (let i = 0; i < records; i++) {
    const sizes = i % 3 === 0 ? [40] : i % 3 === 1 ? [1, 1, 1, 1, 1] : [7, 2, 13];
    await world.send(i % world.queue.partitions, sizes, i % 4 === 0 ? 'identity' : 'zstd', 'x'.repeat(200));
  }
}

/** Fills a world, runs an indexer over it until all is committed, and checks it. */
async function run(
  arrange: (world: World) => void,
  options: WorldOptions = {},
): Promise<{ world: World; indexer: Indexer }> {
  const world = new World(options);
  await fill(world);
  arrange(world);
  const indexer = await world.start();
  await world.drained();
  await world.clock.until(indexer.stop());
  world.check([indexer]);
  assert.equal(indexer.ledger.counts.abandoned, 0);
  return { world, indexer };
}

test('every event is indexed once, and committed', async () => {
  const { world, indexer } = await run(() => undefined);
  assert.equal(indexer.ledger.counts.consumed, world.sent);
  assert.equal(indexer.ledger.counts.indexed, world.sent);
  assert(world.store.inFlightMax <= world.config['bulk.concurrency']);
});

test('records of a partition are of any offsets', async () => {
  const world = new World({ partitions: 1 });
  await world.send(0, [3]);
  const [record] = world.queue.log(0);
  assert(record);
  const batches = world.batch(2);
  world.sent += 2;
  const value = Buffer.concat([world.entry({ log: 'event 3 ' }), world.entry({ log: 'event 4 ' })]);
  world.queue.add(
    0,
    { ...record.headers, encoding: Buffer.from('identity'), batches: encodeBatches([batches]) },
    value,
    41,
  );
  const indexer = await world.start();
  await world.drained();
  await world.clock.until(indexer.stop());
  world.check([indexer]);
  assert.equal(world.queue.committed.get(0), 43);
});

test('the store is down for a minute, from the start', async () => {
  const world = new World();
  await fill(world);
  world.store.down = unavailable;
  const indexer = await world.start();
  await world.clock.advance(60_000);
  assert.match(indexer.unreadyReason ?? '', /store is not reached/);
  assert.equal(indexer.ledger.counts.consumed, 0);
  world.store.down = null;
  await world.drained();
  assert.equal(indexer.unreadyReason, null);
  await world.clock.until(indexer.stop());
  world.check([indexer]);
});

test('the store goes away in the middle, and comes back', async () => {
  const { indexer } = await run((world) => {
    world.store.hooks = { request: (_, number) => (number > 1 && number < 30 ? { fail: unavailable } : null) };
  });
  assert.equal(indexer.unreadyReason, null);
});

test('written, but the answer was lost: the same ids again, and no event twice', async () => {
  const { world, indexer } = await run((w) => {
    w.store.hooks = { request: (_, number) => (number % 2 === 0 ? { failAfter: timeout } : null) };
  });
  assert(indexer.ledger.counts.deduplicated > 0);
  assert.equal(indexer.ledger.counts.indexed + indexer.ledger.counts.deduplicated, world.sent);
});

test('no answer at all: after the time-out the same ids again', async () => {
  for (const hang of ['written', 'unwritten', 'late'] as const) {
    const { indexer } = await run((world) => {
      world.store.hooks = {
        request: (_, number) => (number % 5 === 1 && world.clock.monotonicMs() < 200_000 ? { hang } : null),
      };
    });
    if (hang !== 'late') assert.equal(indexer.ledger.counts.deduplicated > 0, hang === 'written');
  }
});

test('half of all items are rejected for a while: only they go again', async () => {
  const { world, indexer } = await run((w) => {
    const random = seeded(7);
    w.store.hooks = { item: () => (w.clock.monotonicMs() < 20_000 && random() < 0.5 ? rejected : null) };
  });
  assert.equal(indexer.ledger.counts.indexed, world.sent);
  assert.equal(indexer.ledger.counts.deduplicated, 0);
});

test('a request that is too large is halved, and later ones are smaller', async () => {
  const { world } = await run(
    (w) => {
      const tooLarge = new SluiceError('store_body_too_large', 'Cannot write: 413');
      w.store.hooks = { request: ({ body }) => (body.length > 100_000 ? { fail: tooLarge } : null) };
    },
    { env: { SLUICE_BULK_MAX_BYTES: '400000' } },
  );
  assert(world.store.requests < 30);
});

test('a request that is refused as a whole is bisected down to the one document, which is kept as text', async () => {
  const { world, indexer } = await run((w) => {
    const refused = new SluiceError('store_body_refused', 'Cannot write: 400');
    w.store.hooks = {
      request: ({ body }) =>
        Buffer.from(body).includes('event 33 ') && !Buffer.from(body).includes('as_text') ? { fail: refused } : null,
    };
  });
  assert.equal(indexer.ledger.counts.indexed, world.sent);
  const kept = [...world.store.documents.values()].filter((document) => JSON.stringify(document).includes('as_text'));
  assert.equal(kept.length, 1);
});

const neverEvent33: NonNullable<StoreHooks['item']> = (_, { message }) =>
  String(message).includes('event 33 ')
    ? { status: 400, errorType: 'document_parsing_exception', errorReason: 'no' }
    : null;

test('a document that is never taken goes to the dead letters, with its bytes; the others pass', async () => {
  const world = new World();
  await fill(world);
  world.store.hooks = { item: neverEvent33 };
  world.queue.hooks = {
    ...world.queue.hooks,
    deadLetters: () => (world.clock.monotonicMs() < 3000 ? unavailable : null),
  };
  const indexer = await world.start();
  await world.drained();
  await world.clock.until(indexer.stop());
  world.check([indexer], 1);
  assert.equal(indexer.ledger.counts.dead_lettered, 1);
  const [letter] = world.queue.letters;
  assert(letter && world.queue.letters.length === 1);
  assert.equal(letter.reason, 'document_refused');
  assert.match(letter.error, /document_parsing_exception: no/);
  assert.match(letter.from, /^sluice\.logs\/\d\/\d+$/);
  assert(Buffer.from(letter.value).includes('event 33 '));
});

test('a document that is never taken waits where the dead letters are full, is told, and is not lost', async () => {
  const world = new World();
  await fill(world);
  world.store.hooks = { item: neverEvent33 };
  let isFull = true;
  const full = new SluiceError('dead_letters_full', 'Cannot hold a dead letter: they take all; raise the setting');
  world.queue.hooks = { ...world.queue.hooks, deadLetters: () => (isFull ? full : null) };
  const indexer = await world.start();
  await world.clock.advance(300_000);
  assert.match(indexer.unreadyReason ?? '', /events wait that cannot be indexed: .*raise the setting/);
  assert.equal(indexer.ledger.counts.indexed, world.sent - 1, 'the others pass');
  assert.equal(world.queue.letters.length, 0);
  isFull = false;
  await world.drained();
  assert.equal(indexer.unreadyReason, null);
  await world.clock.until(indexer.stop());
  world.check([indexer], 1);
  assert.equal(world.queue.letters.length, 1);
});

test('403: nothing is lost, it waits for the operator, and goes on by itself', async () => {
  const world = new World();
  await fill(world);
  const refused = new SluiceError('store_unauthorized', 'Cannot write: 403 security_exception');
  let isMended = false;
  world.store.hooks = { request: () => (isMended ? null : { fail: refused }) };
  const indexer = await world.start();
  await world.clock.advance(300_000);
  assert.match(indexer.unreadyReason ?? '', /403/);
  assert(world.logged.includes('store_refuses_requests'));
  assert(world.store.requests < 200, `it tries slowly: ${world.store.requests} requests`);
  assert.equal(world.queue.committed.size, 0);
  isMended = true;
  await world.drained();
  assert.equal(indexer.unreadyReason, null);
  await world.clock.until(indexer.stop());
  world.check([indexer]);
});

test('one data stream that is forbidden holds up no other event of the request', async () => {
  const world = new World({ partitions: 1 });
  await fill(world);
  world.store.hooks = {
    item: (_, { message }) =>
      String(message).includes('event 33 ')
        ? { status: 403, errorType: 'security_exception', errorReason: 'no' }
        : null,
  };
  const indexer = await world.start();
  await world.clock.advance(60_000);
  assert.equal(world.found.size, world.sent - 1);
  assert.equal(indexer.ledger.inFlight, 1);
  assert.equal(indexer.ledger.imbalance, 0);
  assert.equal(world.isCommitted, false);
  await world.clock.until(indexer.stop());
  assert.equal(indexer.ledger.counts.abandoned, 1);
  assert((world.queue.committed.get(0) ?? 0) < world.queue.end(0), 'the offset stays before what is not done');
});

test('a record that cannot be read goes to the dead letters whole, and stops nobody', async () => {
  const world = new World({ partitions: 1, env: { SLUICE_INDEXER_UNKNOWN_VERSION: 'dead-letter' } });
  await world.send(0, [3]);
  const [good] = world.queue.log(0);
  assert(good);
  world.queue.add(0, { ...good.headers, v: Buffer.from('3') }, good.value);
  world.queue.add(0, {}, Buffer.from('not ours'));
  world.queue.add(0, { ...good.headers, encoding: Buffer.from('lz4') }, good.value);
  world.queue.add(0, good.headers, Buffer.from('no zstd'));
  world.queue.add(0, { ...good.headers, batches: Buffer.from('no table') }, good.value);
  world.queue.add(0, { ...good.headers, encoding: Buffer.from('identity') }, Buffer.alloc(600_000, 0xc1));
  await world.send(0, [2]);
  const indexer = await world.start();
  await world.drained();
  await world.clock.until(indexer.stop());
  world.check([indexer]);
  assert.deepEqual(
    world.queue.letters.map(({ reason, from, cut, index }) => [reason, from, cut, index]),
    [
      ['record_version_unknown', 'sluice.logs/0/1', false, undefined],
      ['record_malformed', 'sluice.logs/0/2', false, undefined],
      ['record_malformed', 'sluice.logs/0/3', false, undefined],
      ['record_malformed', 'sluice.logs/0/4', false, undefined],
      ['record_malformed', 'sluice.logs/0/5', false, undefined],
      ['record_malformed', 'sluice.logs/0/6', false, undefined],
    ],
  );
  // Three records whose table says 3 events, and two of which nothing can be counted but themselves.
  assert.equal(indexer.ledger.counts.dead_lettered, 4 * 3 + 2);
});

test('a rebalance in the middle: void work is abandoned and never committed; another indexer takes over', async () => {
  const world = new World({ partitions: 4 });
  world.store.hooks = { latencyMs: () => 400 };
  await fill(world, 60);
  const first = await world.start();
  await world.clock.advance(700);
  const second = await world.start();
  await world.clock.advance(900);
  world.queue.rebalance(1);
  await world.clock.advance(300);
  world.queue.rebalance(0);
  await world.drained();
  await world.clock.until(Promise.all([first.stop(), second.stop()]));
  world.check([first, second]);
  assert(first.ledger.counts.abandoned + second.ledger.counts.abandoned > 0);
});

test('a consumer that fails is built anew', async () => {
  const world = new World();
  await fill(world);
  world.store.hooks = { latencyMs: () => 300 };
  let refusals = 2;
  world.queue.hooks = {
    ...world.queue.hooks,
    consume: () => (refusals-- > 0 ? new SluiceError('queue_unavailable', 'no broker') : null),
  };
  const indexer = await world.start();
  await world.clock.advance(200);
  assert.match(indexer.unreadyReason ?? '', /no broker/);
  await world.clock.when(() => indexer.ledger.counts.consumed > 0);
  world.queue.crash(new Error('session lost'));
  await world.drained();
  await world.clock.until(indexer.stop());
  world.check([indexer]);
});

test('a commit that fails is tried again', async () => {
  let failures = 3;
  await run((world) => {
    world.queue.hooks = { ...world.queue.hooks, commit: () => (failures-- > 0 ? unavailable : null) };
  });
});

test('stop in the middle: what was done is committed, the rest comes again', async () => {
  for (let ms = 0; ms < 40; ms += 3) {
    const world = new World({ partitions: 2 });
    await fill(world, 40);
    world.store.hooks = { latencyMs: () => 5 };
    const first = await world.start();
    await world.clock.advance(ms);
    await world.clock.until(first.stop());
    assert.equal(first.ledger.imbalance, 0);
    assert.equal(first.ledger.inFlight, 0);
    const second = await world.start();
    await world.drained();
    await world.clock.until(second.stop());
    world.check([first, second]);
  }
});

test('stop while the store is away ends within the limit', async () => {
  const world = new World();
  await fill(world, 200);
  const indexer = await world.start();
  await world.clock.when(() => indexer.ledger.counts.indexed > 0);
  world.store.down = unavailable;
  await world.clock.advance(5000);
  const beforeMs = world.clock.monotonicMs();
  await world.clock.until(indexer.stop());
  assert(world.clock.monotonicMs() - beforeMs <= world.config['shutdown.timeout_ms']);
  assert.equal(indexer.ledger.imbalance, 0);
  assert.equal(indexer.ledger.inFlight, 0);
});

test('bytes in hand are bounded: reading pauses, and goes on', async () => {
  const world = new World({ partitions: 2, env: { SLUICE_INDEXER_INFLIGHT_MAX_BYTES: String(1024 * 1024) } });
  for (let i = 0; i < 80; i++) await world.send(i % 2, [100], 'identity', 'x'.repeat(500));
  world.store.down = unavailable;
  world.store.ping = () => Promise.resolve();
  const indexer = await world.start();
  await world.clock.advance(20_000);
  assert(
    indexer.ledger.counts.consumed < world.sent / 2,
    `${indexer.ledger.counts.consumed} of ${world.sent} were taken`,
  );
  assert.equal(indexer.ledger.imbalance, 0);
  world.store.down = null;
  await world.drained();
  await world.clock.until(indexer.stop());
  world.check([indexer]);
});

test('seeded faults of all kinds together', async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const random = seeded(seed);
    const world = new World({ partitions: 3, seed });
    await fill(world, 45);
    const faults: (() => StoreFault | null)[] = [
      () => ({ fail: unavailable }),
      () => ({ failAfter: timeout }),
      () => ({ hang: 'written' }),
      () => ({ hang: 'late' }),
      () => ({ fail: new SluiceError('store_body_too_large', '413') }),
      () => ({ fail: new SluiceError('store_body_refused', '400') }),
      () => ({ fail: new SluiceError('store_unauthorized', '403') }),
    ];
    const isFaulty = (): boolean => world.clock.monotonicMs() < 60_000;
    world.store.hooks = {
      latencyMs: () => random() * 200,
      request: (request) => {
        if (!isFaulty() || random() > 0.3) return null;
        const fault = faults[Math.floor(random() * faults.length)]?.() ?? null;
        // A single document that is refused is gone: that is another test's.
        return request.items.length < 4 && fault && 'fail' in fault && fault.fail.code.startsWith('store_body')
          ? null
          : fault;
      },
      item: () => (isFaulty() && random() < 0.1 ? rejected : null),
    };
    world.queue.hooks = { ...world.queue.hooks, commit: () => (isFaulty() && random() < 0.2 ? unavailable : null) };
    const indexers = [await world.start(), await world.start()];
    for (let i = 0; i < 12; i++) {
      await world.clock.advance(random() * 4000);
      if (random() < 0.5) world.queue.rebalance(Math.floor(random() * 3));
      for (const { ledger } of indexers) assert.equal(ledger.imbalance, 0, `seed ${seed}`);
    }
    await world.drained();
    await world.clock.until(Promise.all(indexers.map((indexer) => indexer.stop())));
    try {
      world.check(indexers);
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
});

/** The entries of a line that Docker cut, one for each text. */
function parts(world: World, id: string, texts: readonly string[]): Buffer[] {
  return texts.map((log, i) =>
    world.entry({
      log,
      container_id: 'c0ffee',
      source: 'stdout',
      partial_message: 'true',
      partial_id: id,
      partial_ordinal: String(i + 1),
      partial_last: String(i === texts.length - 1),
    }),
  );
}

const messages = (world: World): unknown[] =>
  [...world.store.documents.values()].map((document) => document['message']);

test('a split line over several records is one document, and the offset waits for its last part', async () => {
  const world = new World({ partitions: 1 });
  const [one, two, three] = parts(world, 'a', ['one ', 'two ', 'three']);
  assert(one && two && three);
  const batch = () => world.batch(1, 0, 'app');
  await world.sendEntries(0, [batch()], [one]);
  await world.send(0, [2]);
  await world.sendEntries(
    0,
    [world.batch(3, 0, 'app')],
    [world.entry({ log: 'between' }), two, world.entry({ log: 'after' })],
  );
  const indexer = await world.start();
  await world.clock.advance(2000);
  assert.equal(world.found.size, 2);
  assert.equal(world.queue.committed.get(0), undefined, 'the first part is not joined');
  assert.equal(indexer.ledger.inFlight, 2);
  assert.equal(indexer.ledger.imbalance, 0);
  await world.sendEntries(0, [batch()], [three]);
  await world.drained();
  await world.clock.until(indexer.stop());
  world.check([indexer]);
  assert(messages(world).includes('one two three'));
  assert.equal(indexer.ledger.counts.indexed, 7, 'a line settles as many events as it has parts');
  assert.equal(world.store.documents.size, 5);
});

test('a line that never ends is passed on, marked, and the offset goes on', async () => {
  const world = new World({ partitions: 1 });
  const [one, two] = parts(world, 'a', ['one ', 'two ', 'three']);
  assert(one && two);
  await world.sendEntries(0, [world.batch(2)], [one, two]);
  const indexer = await world.start();
  await world.clock.advance(4000);
  assert.equal(world.store.documents.size, 0);
  await world.clock.when(() => world.store.documents.size > 0);
  const [document] = world.store.documents.values();
  assert(world.clock.monotonicMs() < 8000);
  await world.drained();
  assert.equal(document?.['message'], 'one two ');
  assert.deepEqual(document?.['log'], { flags: ['partial'] });
  await world.clock.until(indexer.stop());
  world.check([indexer]);
});

test('unfinished lines are left at a stop and at a rebalance, and joined by who comes next', async () => {
  const world = new World({ partitions: 1 });
  const [one, two] = parts(world, 'a', ['one ', 'two']);
  assert(one && two);
  await world.sendEntries(0, [world.batch(1)], [one]);
  const first = await world.start();
  await world.clock.advance(1000);
  world.queue.rebalance();
  await world.clock.advance(1000);
  await world.clock.until(first.stop());
  assert.equal(first.ledger.counts.abandoned, 2);
  assert.equal(first.ledger.imbalance, 0);
  await world.sendEntries(0, [world.batch(1)], [two]);
  const second = await world.start();
  await world.drained();
  await world.clock.until(second.stop());
  world.check([first, second]);
  assert.deepEqual(messages(world), ['one two']);
});

test('a joined line that is never taken is a dead letter for each part', async () => {
  const world = new World({ partitions: 1 });
  const entries = parts(world, 'a', ['one ', 'two ', 'three']);
  await world.sendEntries(0, [world.batch(1), world.batch(2)], entries);
  world.store.hooks = { item: () => ({ status: 400, errorType: 'document_parsing_exception', errorReason: 'no' }) };
  const indexer = await world.start();
  await world.drained();
  await world.clock.until(indexer.stop());
  world.check([indexer]);
  assert.equal(indexer.ledger.counts.dead_lettered, 3);
  assert.deepEqual(
    world.queue.letters.map(({ index }) => index),
    [0, 0, 1],
  );
  assert.deepEqual(
    world.queue.letters.map(({ value }) => Buffer.from(value)),
    entries,
  );
});

test('who opens a line in each record holds up nobody: only the commit waits for it', async () => {
  const world = new World({ partitions: 1, env: { SLUICE_INDEXER_INFLIGHT_MAX_BYTES: String(1024 * 1024) } });
  const records = 60;
  for (let i = 0; i < records; i++) {
    const [begun] = parts(world, `line ${i}`, ['begun ', 'never sent']);
    assert(begun);
    const entries = [world.entry({ log: `event ${world.sent++} ${'x'.repeat(100_000)}` }), begun];
    await world.sendEntries(0, [world.batch(2, 0, 'app')], i % 2 === 0 ? entries : entries.toReversed());
  }
  const indexer = await world.start();
  await world.clock.advance(3000);
  assert.equal(world.found.size, records, 'all that is whole, before the first line is given up');
  assert.equal(world.queue.committed.get(0), undefined);
  assert.equal(indexer.ledger.inFlight, records);
  assert.equal(indexer.ledger.imbalance, 0);
  await world.drained();
  await world.clock.until(indexer.stop());
  assert.equal(indexer.ledger.counts.indexed, 2 * records);
  world.check([indexer]);
});

test('a line that is refused when its records are not held any more: the dead letters have its parts', async () => {
  const world = new World({ partitions: 1 });
  const [one, two] = parts(world, 'a', ['one ', 'two']);
  assert(one && two);
  // Also where it is written as text.
  const isLine = (document: object): boolean => JSON.stringify(document).includes('one two');
  const refusal = { status: 400, errorType: 'document_parsing_exception', errorReason: 'no' };
  world.store.hooks = { item: (_, document) => (isLine(document) ? refusal : null) };
  const batches = [world.batch(3, 5, 'app'), world.batch(1, 0, 'app')];
  for (const [i, part] of [one, two].entries()) {
    const whole = world.entry({ log: `event ${world.sent++} ` });
    const entries = i === 0 ? [world.entry({ log: `event ${world.sent++} ` }), part, whole] : [part];
    if (i === 1) world.sent--;
    await world.sendEntries(0, [batches[i]!], entries, 'zstd');
    if (i === 0) await world.clock.advance(1);
  }
  const indexer = await world.start();
  await world.drained();
  await world.clock.until(indexer.stop());
  assert.equal(indexer.ledger.counts.dead_lettered, 2);
  assert.deepEqual(
    world.queue.letters.map(({ index, from }) => [index, from]),
    [
      [6, 'sluice.logs/0/0'],
      [0, 'sluice.logs/0/1'],
    ],
  );
  assert.deepEqual(
    world.queue.letters.map(({ value }) => Buffer.from(value)),
    [one, two],
  );
  world.check([indexer]);
});

test('bytes that a request without an answer may still be reading are not used again', async () => {
  const world = new World({ partitions: 1 });
  await world.send(0, [20], 'identity', 'x'.repeat(200));
  // The store looks at the bytes of the first request a second after we gave it up, and wants to find what was sent.
  world.store.hooks = { request: (_, number) => (number === 0 ? { hang: 'late' } : null) };
  const indexer = await world.start();
  await world.clock.when(() => indexer.ledger.counts.indexed === 20);
  for (let i = 0; i < 5; i++) {
    await world.send(0, [30], 'identity', 'y'.repeat(300));
    await world.clock.advance(150);
  }
  await world.drained();
  await world.clock.advance(5000);
  await world.clock.until(indexer.stop());
  world.check([indexer]);
});
