// The store is away, slow, full or forbids things: what it did not take is sent again under the same ids, and only
// that.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '#shared/errors.ts';
import { World, seeded } from '../world.ts';
import { fill, rejected, run, timeout, unavailable } from './filled-world.ts';

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
