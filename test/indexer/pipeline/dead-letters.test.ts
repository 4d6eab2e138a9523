// What can never be indexed goes to the dead letters, with its bytes; the others pass. While the dead letters are full
// it waits.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '#shared/errors.ts';
import type { StoreHooks } from '#test/memory/store.ts';
import { World } from '../world.ts';
import { fill, unavailable } from './filled-world.ts';

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
  const [deadLetter] = world.queue.letters;
  assert(deadLetter && world.queue.letters.length === 1);
  assert.equal(deadLetter.reason, 'document_refused');
  assert.match(deadLetter.error, /document_parsing_exception: no/);
  assert.match(deadLetter.from, /^sluice\.logs\/\d\/\d+$/);
  assert(Buffer.from(deadLetter.value).includes('event 33 '));
});

test('a document that is never taken waits where the dead letters are full, is reported, and is not lost', async () => {
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
