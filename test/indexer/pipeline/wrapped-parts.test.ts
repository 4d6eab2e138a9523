// Lines that container runtimes cut (CRI's P and F, json-file's lines without a line feed), sent raw, through the whole
// indexer: one document for each, whatever else is between its parts, and whoever is killed between them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { World } from '../world.ts';
import { KIB_16, cri, docker, messages, send, timeOf, wrappers } from './wrapped-pieces.ts';

const flagsOf = (world: World): unknown[] =>
  [...world.store.documents.values()].map(({ log }) => (log as { flags?: unknown } | undefined)?.flags);

async function indexed(pieces: readonly Record<string, string>[], perRecord = 2, tag = 'files'): Promise<World> {
  const world = new World({ partitions: 1 });
  await send(world, pieces, perRecord, tag);
  const indexer = await world.start();
  await world.drained();
  await world.clock.until(indexer.stop());
  assert.equal(indexer.ledger.imbalance, 0);
  assert.equal(indexer.ledger.counts.indexed, pieces.length, 'a line settles as many events as it has parts');
  return world;
}

test('parts are one line, between lines of other files and of the other stream', async () => {
  for (const [name, wrap] of wrappers) {
    const world = await indexed([
      wrap({ text: 'one ' }),
      wrap({ text: 'other file', file: 'b', isLast: true }),
      wrap({ text: 'err ', stream: 'stderr' }),
      wrap({ text: 'two ', ms: 1 }),
      wrap({ text: 'other ', file: 'b/' }),
      wrap({ text: 'three', isLast: true, ms: 2 }),
      wrap({ text: 'end', stream: 'stderr', isLast: true }),
      wrap({ text: 'after', isLast: true, ms: 3 }),
      wrap({ text: 'line', file: 'b/', isLast: true }),
    ]);
    assert.deepEqual(messages(world), ['after', 'err end', 'one two three', 'other file', 'other line'], name);
    assert.deepEqual(new Set(flagsOf(world)), new Set([undefined]), name);
  }
});

test('the document of a joined line is that of its first part', async () => {
  const world = await indexed([cri({ text: 'level=info ms' }), cri({ text: 'g="up now"', isLast: true, ms: 5 })]);
  const [{ event, ...document } = {}] = world.store.documents.values();
  assert.deepEqual(document, {
    '@timestamp': timeOf(0),
    message: 'up now',
    stream: 'stdout',
    log: { level: 'info', file: { path: '/var/log/pods/a/0.log' } },
    fluentd: { tag: 'files' },
  });
  const { original, sequence } = event as { original?: unknown; sequence?: unknown };
  assert.deepEqual([original, sequence], ['level=info msg="up now"', 0]);
});

test('of sources that nothing tells apart, parts are marked and stay apart', async () => {
  const pieces = [{ text: 'one ' }, { text: 'two ' }, { text: 'three', isLast: true }];
  const apart = await indexed(pieces.map((piece) => cri({ ...piece, file: '' })));
  assert.deepEqual(messages(apart), ['one ', 'three', 'two ']);
  assert.deepEqual(
    flagsOf(apart).filter((flags) => flags !== undefined),
    [['partial'], ['partial']],
  );
  const tag = `kubernetes.var.log.containers.web-1_shop_web-${'0'.repeat(64)}.log`;
  const byTag = await indexed(
    pieces.map((piece) => cri({ ...piece, file: '' })),
    2,
    tag,
  );
  assert.deepEqual(messages(byTag), ['one two three']);
});

test('what a container leaves without a line feed is a line', async () => {
  const last = { log: JSON.stringify({ log: 'last words', stream: 'stdout', time: timeOf(0) }), filepath: '/c/a' };
  const world = await indexed([last, docker({ text: 'first line', isLast: true, file: '/c/a' })]);
  assert.deepEqual(messages(world), ['first line', 'last words']);
  const full = await indexed([
    docker({ text: 'cut' }),
    { ...last, filepath: '/c/a-json.log' },
    docker({ text: 'next', isLast: true }),
  ]);
  assert.deepEqual(messages(full), ['cutlast words', 'next']);
});

test('a part that nothing follows is passed on, marked, and so is what follows late', async () => {
  const world = new World({ partitions: 1 });
  await send(world, [cri({ text: 'one ' }), cri({ text: 'two ' })]);
  const indexer = await world.start();
  await world.drained();
  assert.deepEqual([messages(world), flagsOf(world)], [['one two '], [['partial']]]);
  await send(world, [
    cri({ text: 'three', isLast: true, ms: 60_000 }),
    cri({ text: 'next', isLast: true, ms: 60_001 }),
  ]);
  await world.drained();
  await world.clock.until(indexer.stop());
  assert.deepEqual(messages(world), ['next', 'one two ', 'three']);
  assert.equal(flagsOf(world).filter((flags) => flags === undefined).length, 1);
  assert.equal(indexer.ledger.imbalance, 0);
});

test('a part that was written long after, or before, begins anew', async () => {
  for (const ms of [6000, -1]) {
    const world = await indexed([cri({ text: 'one ' }), cri({ text: 'two', isLast: true, ms })]);
    assert.deepEqual(messages(world), ['one ', 'two'], String(ms));
  }
});

test('an indexer that is stopped, or loses its partition, between parts leaves them to the next one', async () => {
  for (const [name, wrap] of wrappers) {
    const pieces = [{ text: 'one ' }, { text: 'two ' }, { text: 'three', isLast: true }].map((piece) => wrap(piece));
    for (let cut = 1; cut < pieces.length; cut += 1) {
      const world = new World({ partitions: 1 });
      await send(world, pieces.slice(0, cut), 1);
      const first = await world.start();
      await world.clock.advance(1000);
      world.queue.rebalance();
      await world.clock.advance(1000);
      await world.clock.until(first.stop());
      await send(world, pieces.slice(cut), 1);
      const second = await world.start();
      await world.drained();
      await world.clock.until(second.stop());
      assert.deepEqual(messages(world), ['one two three'], name);
      for (const { ledger } of [first, second]) assert.equal(ledger.imbalance, 0);
    }
  }
});

test('a line of which the beginning was passed on is read again from its beginning', async () => {
  const world = new World({ partitions: 1 });
  const pieces = [{ text: 'one ' }, { text: 'two', isLast: true }].map((piece) => cri(piece));
  await send(world, pieces.slice(0, 1));
  // Nothing is stored, so that nothing is committed.
  world.store.hooks = { item: () => ({ status: 429, errorType: 'busy', errorReason: 'busy' }) };
  const indexer = await world.start();
  await world.clock.advance(8000);
  world.queue.rebalance();
  world.store.hooks = {};
  await send(world, pieces.slice(1));
  await world.drained();
  await world.clock.until(indexer.stop());
  const found = messages(world);
  assert(found.includes('one two') || (found.includes('one ') && found.includes('two')), found.join('|'));
  assert.equal(indexer.ledger.imbalance, 0);
});

test('a json-file line that was cut on its way itself is put together first', async () => {
  const text = docker({ text: 'x'.repeat(KIB_16) })['log'] ?? '';
  const cut = (log: string, id: string): Record<string, string>[] =>
    [log.slice(0, 9000), log.slice(9000)].map((part, i) => ({
      log: part,
      partial_message: 'true',
      partial_id: id,
      partial_ordinal: String(i + 1),
      partial_last: String(i === 1),
      'log.file.path': '/c/a-json.log',
    }));
  const end = {
    log: JSON.stringify({ log: 'end\n', stream: 'stdout', time: timeOf(0) }),
    'log.file.path': '/c/a-json.log',
  };
  const world = await indexed([...cut(text, 'i'), ...cut(text, 'j'), end]);
  assert.deepEqual(messages(world), [`${'x'.repeat(2 * KIB_16)}end`]);
});

test('any lines, cut anyhow, of any files and streams between each other, come out as they were', async () => {
  const line = fc.array(fc.stringMatching(/^[a-z ]{1,6}$/), { minLength: 1, maxLength: 4 });
  const source = fc.record({ lines: fc.array(line, { maxLength: 4 }), isErr: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(
      fc.array(source, { minLength: 1, maxLength: 4 }),
      fc.infiniteStream(fc.nat()),
      fc.integer({ min: 1, max: 4 }),
      fc.constantFrom(...wrappers),
      async (sources, picks, perRecord, [name, wrap]) => {
        const queues = sources.map(({ lines, isErr }, n) =>
          lines.flatMap((parts) =>
            parts.map((text, i) => {
              const stream = isErr ? 'stderr' : 'stdout';
              // Two sources are the two streams of one file.
              return wrap({ text, isLast: i === parts.length - 1, file: `f/${n >> 1}/${isErr}`, stream });
            }),
          ),
        );
        const bySource = new Map<string, string[]>();
        for (const [n, { lines, isErr }] of sources.entries()) {
          const key = `${n >> 1} ${isErr}`;
          bySource.set(key, [...(bySource.get(key) ?? []), ...lines.map((parts) => parts.join(''))]);
        }
        // Two that are one source must not be between each other.
        const isOne = new Set(sources.map(({ isErr }, n) => `${n >> 1} ${isErr}`)).size < sources.length;
        const sent: Record<string, string>[] = [];
        while (queues.some((queue) => queue.length > 0)) {
          const open = queues.filter((queue) => queue.length > 0);
          const queue = isOne ? open[0] : open[picks.next().value % open.length];
          const piece = queue?.shift();
          if (piece) sent.push(piece);
        }
        const world = await indexed(sent, perRecord);
        assert.deepEqual(messages(world), [...bySource.values()].flat().sort(), name);
      },
    ),
    { numRuns: 30 },
  );
});

test("one tenant's parts make nobody else's line unmarked", async () => {
  const world = new World({ partitions: 1, env: { SLUICE_JOIN_MAX_BYTES: String(1024 * 1024) } });
  const sent = async (tenant: string, pieces: readonly Record<string, string>[]): Promise<void> => {
    const entries = pieces.map((piece) => world.entry(piece));
    await world.sendEntries(0, [{ ...world.batch(entries.length, 0, 'files'), tenant }], entries);
  };
  await sent('victim', [cri({ text: 'one ' })]);
  for (let n = 0; n < 5; n += 1)
    await sent(
      'evil',
      Array.from({ length: 1200 }, (_, i) => cri({ text: 'x', file: `/f/${n}-${i}` })),
    );
  await sent('victim', [cri({ text: 'two', isLast: true, ms: 500 }), cri({ text: 'three', isLast: true, ms: 501 })]);
  const indexer = await world.start();
  await world.drained();
  await world.clock.until(indexer.stop());
  const marked = [...world.store.documents.values()]
    .filter(({ message }) => message !== 'x')
    .map(({ message, log }) => [message, (log as { flags?: string[] }).flags?.join()]);
  assert.deepEqual(
    marked.toSorted(([a], [b]) => String(a).localeCompare(String(b))),
    [
      ['one ', 'partial'],
      ['three', undefined],
      ['two', 'partial'],
    ],
  );
});
