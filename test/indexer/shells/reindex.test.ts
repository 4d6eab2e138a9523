// A range of the queue once more, between a queue and a store in memory: what is there is not added again, what is
// missing is, and nothing of what lies around the range.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { counted, Rewind } from '../rewind.ts';
import type { World } from '../world.ts';

const forget = (world: World, every: number): number => {
  let removed = 0;
  for (const [i, id] of [...world.store.documents.keys()].entries()) {
    if (i % every > 0) continue;
    world.store.documents.delete(id);
    for (const { ids } of allBacking(world)) ids.delete(id);
    removed++;
  }
  return removed;
};

function allBacking(world: World): { ids: Set<string> }[] {
  const names = [1, 2, 3].map((n) => `.ds-logs-sluice-default-${String(n).padStart(6, '0')}`);
  return names.flatMap((name) => world.store.backing(name) ?? []);
}

test('the range again: nothing that is there is added, also after a rollover; what is missing is', async () => {
  const rewind = new Rewind(2);
  const { world } = rewind;
  for (let i = 0; i < 10; i++) await world.send(i % 2, [5, 5], i % 3 === 0 ? 'zstd' : 'identity');
  await rewind.indexed();
  const committed = new Map(world.queue.committed);
  assert.deepEqual(counted(await rewind.reindex(-1, 30)), [0, 100, 0, 0]);
  world.store.rollOver();
  assert.deepEqual(counted(await rewind.reindex(-1, 30)), [0, 100, 0, 0]);
  const removed = forget(world, 7);
  assert.equal(world.found.size, 100 - removed);
  assert.deepEqual(counted(await rewind.reindex(-1, 30)), [removed, 100 - removed, 0, 0]);
  world.check([]);
  assert.equal(world.store.doubled, 0);
  assert.deepEqual(world.queue.committed, committed, 'the offsets of the indexers');
  assert.equal(rewind.source.saved.size, 0, 'nothing is left behind');
  assert.deepEqual(world.queue.letters, []);
});

test('only what the edge took within the range, whenever the queue took it', async () => {
  const rewind = new Rewind();
  const { world } = rewind;
  const { clock } = world;
  const late = { ...world.batch(2), receivedMs: rewind.startMs + 12 * 60_000 };
  for (let minute = 0; minute < 60; minute++) {
    await clock.advance(60_000);
    // At minute 40 a forwarder's spool brings what it took at minute 12, beside something new.
    const own = world.batch(3);
    const entries = (count: number): Buffer[] =>
      Array.from({ length: count }, () => world.entry({ log: `event ${world.sent++} ` }));
    if (minute === 40) await world.sendEntries(0, [own, late], entries(5));
    else await world.sendEntries(0, [own], entries(3));
  }
  const done = await rewind.reindex(10, 20);
  const [indexed, present, dropped] = counted(done);
  assert.deepEqual([indexed, present], [10 * 3 + 2, 0]);
  const received = [...world.store.documents.values()].map((document) => Date.parse(String(document['@timestamp'])));
  assert.equal(received.length, 32);
  // A minute before and after it are read for lines; of the rest only the record that holds what came late.
  assert.equal(dropped, 3 + 3 + 3, 'what was opened, and is not of the range');
  assert.equal((await rewind.reindex(10, 20, { lateMs: 0 })).reindex.counts.deduplicated, 30);
});

function parts(world: World, id: string, texts: readonly string[]): Buffer[] {
  return texts.map((log, i) =>
    world.entry({
      log,
      container_id: 'c0ffee',
      partial_message: 'true',
      partial_id: id,
      partial_ordinal: String(i + 1),
      partial_last: String(i === texts.length - 1),
    }),
  );
}

const messages = (world: World): string[] =>
  [...world.store.documents.values()].map((document) => String(document['message'])).toSorted();

test('lines that lie across the ends of the range are whole, or not of it', async () => {
  const rewind = new Rewind();
  const { world } = rewind;
  const send = async (entry: Buffer | undefined): Promise<void> => {
    assert(entry);
    await world.sendEntries(0, [world.batch(1, 0, 'app')], [entry]);
  };
  const before = parts(world, 'a', ['be', 'fo', 're']);
  const across = parts(world, 'b', ['acr', 'oss']);
  await world.clock.advance(9.99 * 60_000);
  await send(before[0]);
  await world.clock.advance(600);
  await send(before[1]);
  await world.clock.advance(2000);
  await send(before[2]);
  await world.clock.advance(10 * 60_000 - 3000);
  await send(across[0]);
  await world.clock.advance(2000);
  await send(across[1]);
  await world.clock.advance(3_600_000);
  await rewind.reindex(10, 20);
  assert.deepEqual(messages(world), ['across']);
  await rewind.indexed();
  assert.deepEqual(messages(world), ['across', 'before']);
  assert.equal(world.store.doubled, 0);
});

test('a line whose rest is still to come is left to the indexers; one whose rest was lost is passed on', async () => {
  const rewind = new Rewind();
  const { world } = rewind;
  const [lost] = parts(world, 'a', ['lost ', 'rest']);
  const [begun, rest] = parts(world, 'b', ['begun ', 'and ended']);
  assert(lost && begun && rest);
  await world.sendEntries(0, [world.batch(1, 0, 'app')], [lost]);
  await world.clock.advance(10 * 60_000);
  await world.sendEntries(0, [world.batch(1, 0, 'app')], [begun]);
  const { reindex } = await rewind.reindex(-1, 20);
  assert.deepEqual(messages(world), ['lost ']);
  assert.equal(reindex.unfinishedLines, 1);
  await world.sendEntries(0, [world.batch(1, 0, 'app')], [rest]);
  await rewind.indexed();
  assert.deepEqual(messages(world), ['begun and ended', 'lost ']);
});

test('stopped and started again, it goes on where it was', async () => {
  const rewind = new Rewind();
  const { world, source } = rewind;
  for (let i = 0; i < 40; i++) await world.send(0, [5]);
  const stop = new AbortController();
  source.before = ({ offset }) => {
    if (offset === 20) stop.abort();
  };
  const first = await rewind.prepared(-1, 30, { signal: stop.signal });
  await assert.rejects(world.clock.until(first.reindex.run()), /it was stopped; start it again/);
  assert.equal(first.reindex.counts.indexed, 100);
  source.before = () => undefined;
  source.handedOver.length = 0;
  const second = await rewind.reindex(-1, 30);
  assert.deepEqual([second.plan.done, source.handedOver[0], source.handedOver.length], [20, [0, 20], 20]);
  assert.deepEqual(counted(second), [100, 0, 0, 0]);
  world.check([]);
  assert.equal((await rewind.reindex(-1, 30)).plan.done, 0, 'one that is done begins anew');
});

test('killed before anything was saved: read again, with care from the second time on', async () => {
  const rewind = new Rewind();
  const { world, source } = rewind;
  await world.send(0, [5]);
  const tries: number[] = [];
  for (let i = 0; i < 3; i++) {
    const { plan } = await rewind.prepared(-1, 30);
    tries.push(plan.spans[0]?.tries ?? -1);
    await source.save(plan.name, new Map([[0, { next: 0, tries: i + 1 }]]));
  }
  assert.deepEqual(tries, [0, 1, 2]);
  assert.equal((await rewind.prepared(-1, 30, { restart: true })).plan.spans[0]?.tries, 0);
  const opened: number[] = [];
  const opener = {
    unhealthyReason: null,
    open: async ({ offset }: { offset: number }) => {
      opened.push(offset);
      return { kind: 'poison', harm: 'died', what: 'it ended who opened it', events: 5 } as const;
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
  const done = await rewind.reindex(-1, 30, { opener });
  assert.deepEqual(opened, [0], 'in a process of its own');
  assert.equal(done.reindex.recordsRead, 1);
});

test('what is refused is reported, and becomes no second dead letter', async () => {
  const rewind = new Rewind();
  const { world } = rewind;
  const outcome = { status: 400, errorType: 'document_parsing_exception', errorReason: 'conflict' };
  world.store.hooks = { item: (_, { message }) => (/event \d*3 /.test(String(message)) ? outcome : null) };
  await world.send(0, [20]);
  const done = await rewind.reindex(-1, 30);
  assert.deepEqual(counted(done), [18, 0, 0, 2]);
  assert.deepEqual([...done.reindex.refused], [['document_refused: document_parsing_exception: conflict', 2]]);
  assert.deepEqual(world.queue.letters, []);
});

test('into another stream: all of the range, also what is refused at first, and nothing where it was', async () => {
  const rewind = new Rewind();
  const { world } = rewind;
  const streams = new Set<string>();
  let refusals = 1;
  world.store.hooks = {
    item: (_id, _document, index) => {
      streams.add(index);
      const refused = { status: 400, errorType: 'document_parsing_exception', errorReason: 'conflict' };
      return streams.size > 1 && refusals-- > 0 ? refused : null;
    },
  };
  await world.send(0, [20]);
  await rewind.indexed();
  const done = await rewind.reindex(-1, 30, { into: 'logs-sluice-again' });
  assert.deepEqual(counted(done), [20, 0, 0, 0]);
  assert.deepEqual([...streams], ['logs-sluice-default', 'logs-sluice-again']);
  assert.deepEqual(counted(await rewind.reindex(-1, 30, { into: 'logs-sluice-again' })), [0, 20, 0, 0]);
});
