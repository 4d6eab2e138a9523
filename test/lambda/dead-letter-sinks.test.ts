// Where a function puts what cannot be indexed: each event has a dead letter of its own, and the same one when it comes
// again.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { InvocationIndexer } from '#indexer/shells/invocation-indexer.ts';
import { PostedDeadLetters, StoreDeadLetters } from '#lambda/dead-letter-sinks.ts';
import type { BulkOutcome } from '#shared/store/store.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { MemoryStore } from '#test/memory/store.ts';
import { World } from '#test/indexer/world.ts';

const REFUSED: BulkOutcome = { status: 400, errorType: 'document_parsing_exception', errorReason: 'refused' };
const LIMITS = { timeLimitMs: 60_000, passOnTails: true };

test('many chunks in a record, all refused: a dead letter for each event, the same when it comes again', async () => {
  const world = new World({ partitions: 1 });
  await world.send(0, [1, 1, 2, 1]);
  world.store.hooks = { item: () => REFUSED };
  const deadLetters = new MemoryStore(world.clock);
  for (let call = 0; call < 2; call++) {
    const queue = new StoreDeadLetters(deadLetters, world.clock);
    await using indexer = new InvocationIndexer({ ...world.options, queue });
    const { finished } = await world.clock.until(indexer.index(world.queue.log(0), LIMITS));
    assert(finished);
    assert.equal(deadLetters.documents.size, 5);
  }
});

test('dead letters that are posted have ids of their own too', async () => {
  const ids: unknown[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const body: Buffer[] = [];
      for await (const piece of request) body.push(piece);
      const lines = Buffer.concat(body).toString().trim().split('\n');
      for (const line of lines) ids.push((JSON.parse(line) as { id?: unknown }).id);
      response.end();
    })();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    const address = server.address();
    assert(typeof address === 'object' && address);
    const posted = new PostedDeadLetters(`http://127.0.0.1:${address.port}/`);
    const about = {
      index: 0,
      reason: 'document_refused',
      error: '',
      from: 'l/0/7',
      value: Buffer.from('v'),
      cut: false,
    };
    const tables = [Buffer.from('one'), Buffer.from('two')];
    for (let call = 0; call < 2; call++)
      await posted.appendDeadLetters(tables.map((batches) => ({ ...about, batches })));
    assert.equal(ids.length, 4);
    assert.equal(new Set(ids).size, 2);
  } finally {
    server.close();
  }
});

test('a dead letter of a whole record says how to read it; that of a topic made anew is another', async () => {
  const clock = new VirtualClock();
  const store = new MemoryStore(clock);
  const deadLetters = new StoreDeadLetters(store, clock);
  const about = { batches: Buffer.alloc(0), reason: 'record_malformed', error: '', from: 'l/0/7', cut: false };
  const kind = { encoding: Buffer.from('zstd'), recordVersion: Buffer.from('2') };
  for (const value of ['old', 'new', 'old']) {
    await clock.until(deadLetters.appendDeadLetters([{ ...about, ...kind, value: Buffer.from(value) }]));
  }
  await clock.until(deadLetters.appendDeadLetters([{ ...about, value: Buffer.from('3') }]));
  const fields = [...store.documents.values()].map((document) => document['attributes'] as Record<string, unknown>);
  assert.deepEqual(
    fields.map(({ value, encoding, record_v: version }) => [
      Buffer.from(String(value), 'base64').toString(),
      encoding,
      version,
    ]),
    [
      ['old', 'zstd', '2'],
      ['new', 'zstd', '2'],
      ['3', undefined, undefined],
    ],
  );
});

test('a dead letter that is too large for a document is kept whole, in parts that a repeat does not double', async () => {
  const clock = new VirtualClock();
  const store = new MemoryStore(clock);
  const value = randomBytes(2_500_000);
  const deadLetter = { batches: Buffer.from('t'), index: 0, reason: 'r', error: '', from: 'l/0/7', value, cut: false };
  for (let call = 0; call < 2; call++)
    await clock.until(new StoreDeadLetters(store, clock).appendDeadLetters([deadLetter]));
  const parts = [...store.documents.values()].map(
    (document) => document['attributes'] as { value: string; part: { at: number; bytes: number } },
  );
  assert.equal(parts.length, 3);
  const inOrder = parts.toSorted((a, b) => a.part.at - b.part.at).map((part) => Buffer.from(part.value, 'base64'));
  assert(Buffer.concat(inOrder).equals(value));
});
