// Stack traces through the whole indexer: one document for each, which the offset waits for; whatever else is said is
// indexed at once; and who reads again makes the same documents.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { drainIndexer } from '#indexer/shells/drain.ts';
import { World } from '../world.ts';

const TRACE = ['java.lang.IllegalStateException: x', '\tat a.B.c(B.java:1)', '\tat a.B.d(B.java:2)'];

/** Lines of a container, one for each text. */
function lines(world: World, texts: readonly string[], container = 'c0ffee', more = {}): Buffer[] {
  return texts.map((log) => world.entry({ log, container_id: container, source: 'stderr', ...more }));
}

async function send(world: World, entries: readonly Buffer[]): Promise<void> {
  await world.sendEntries(0, [world.batch(entries.length)], entries);
}

/** Without the times of lines: entries of a test may be of several seconds. */
function found(world: World): unknown[] {
  return [...world.store.documents.values()].map(({ message, log }) => {
    const { line_offsets: _, ...rest } = { ...(log as { line_offsets?: unknown } | undefined) };
    return [message, log === undefined ? null : rest];
  });
}
const whole = [TRACE.join('\n'), { flags: ['multiline'], lines: 3 }];

test('a trace over several records is one document, and the offset waits; other lines do not', async () => {
  const world = new World({ partitions: 1 });
  const [one, two, three] = lines(world, TRACE);
  assert(one && two && three);
  await send(world, [one]);
  await send(world, [...lines(world, ['of another'], 'cafe'), two]);
  await send(world, [three]);
  const indexer = await world.start();
  await world.clock.advance(1000);
  assert.deepEqual(found(world), [['of another', null]]);
  assert.equal(world.queue.committed.get(0), undefined);
  assert.equal(indexer.ledger.inFlight, 3);
  assert.equal(indexer.ledger.imbalance, 0);
  await world.clock.when(() => world.store.documents.size > 1);
  assert(world.clock.monotonicMs() < 3000, String(world.clock.monotonicMs()));
  await world.drained();
  assert.deepEqual(found(world), [['of another', null], whole]);
  await world.clock.until(indexer.stop());
  assert.equal(indexer.ledger.counts.indexed, 4, 'a trace settles as many events as it has lines');
  world.check([indexer]);
});

test('the next line of its source ends a trace at once', async () => {
  const world = new World({ partitions: 1 });
  await send(world, lines(world, [...TRACE, 'event 0 goes on']));
  world.sent = 1;
  const indexer = await world.start();
  await world.clock.advance(300);
  assert.deepEqual(found(world), [whole, ['event 0 goes on', null]]);
  await world.drained();
  await world.clock.until(indexer.stop());
  world.check([indexer]);
});

test('turned off, or where no line is read, each line is a document', async () => {
  for (const name of ['SLUICE_MULTILINE', 'SLUICE_PARSE']) {
    const world = new World({ partitions: 1, env: { [name]: 'false' } });
    await send(world, lines(world, TRACE));
    const indexer = await world.start();
    await world.drained();
    assert.deepEqual(
      found(world),
      TRACE.map((text) => [text, null]),
    );
    await world.clock.until(indexer.stop());
  }
});

test('another wait', async () => {
  const world = new World({ partitions: 1, env: { SLUICE_MULTILINE_WAIT_MS: '10s' } });
  await send(world, lines(world, TRACE));
  const indexer = await world.start();
  await world.clock.advance(9000);
  assert.equal(world.store.documents.size, 0);
  await world.drained();
  assert.deepEqual(found(world), [whole]);
  await world.clock.until(indexer.stop());
});

test('a line of a trace that Docker split is put together first', async () => {
  const world = new World({ partitions: 1 });
  const part = (log: string, ordinal: number, last: boolean): Buffer[] =>
    lines(world, [log], 'c0ffee', {
      partial_message: 'true',
      partial_id: 'a',
      partial_ordinal: String(ordinal),
      partial_last: String(last),
    });
  const [opening = '', ...frames] = TRACE;
  await send(world, [...part(opening.slice(0, 12), 1, false), ...part(opening.slice(12), 2, true)]);
  await send(world, lines(world, frames));
  const indexer = await world.start();
  await world.drained();
  assert.deepEqual(found(world), [whole]);
  await world.clock.until(indexer.stop());
  assert.equal(indexer.ledger.counts.indexed, 4);
  assert.equal(indexer.ledger.imbalance, 0);
});

test('a stop and a rebalance in the middle: whoever comes next makes it whole', async () => {
  const world = new World({ partitions: 1 });
  const [one, two, three] = lines(world, TRACE);
  assert(one && two && three);
  await send(world, [one, two]);
  const first = await world.start();
  await world.clock.advance(300);
  world.queue.rebalance();
  await world.clock.advance(300);
  await world.clock.until(first.stop());
  assert.equal(first.ledger.counts.abandoned, 4);
  assert.equal(first.ledger.imbalance, 0);
  await send(world, [three]);
  const second = await world.start();
  await world.drained();
  await world.clock.until(second.stop());
  assert.deepEqual(found(world), [whole]);
  assert.equal(second.ledger.imbalance, 0);
});

test('a drain job: a trace that may go on is marked, one of long ago is not', async () => {
  for (const [ageMs, flags] of [
    [5000, ['multiline']],
    [10, ['multiline', 'partial']],
  ] as const) {
    const world = new World({ partitions: 1 });
    await send(world, lines(world, TRACE));
    await world.clock.advance(ageMs);
    const drained = drainIndexer({ ...world.options, signal: new AbortController().signal });
    const outcome = await world.clock.until(drained);
    assert.equal(outcome.drained, true);
    assert.deepEqual(found(world), [[TRACE.join('\n'), { flags, lines: 3 }]]);
  }
});

test('a trace that is never taken is a dead letter for each line', async () => {
  const world = new World({ partitions: 1 });
  const entries = lines(world, TRACE);
  await send(world, entries);
  world.store.hooks = { item: () => ({ status: 400, errorType: 'document_parsing_exception', errorReason: 'no' }) };
  const indexer = await world.start();
  await world.drained();
  await world.clock.until(indexer.stop());
  assert.equal(indexer.ledger.counts.dead_lettered, 3);
  assert.deepEqual(
    world.queue.letters.map(({ value }) => Buffer.from(value)),
    entries,
  );
});

test('overlapping traces of many sources: what was committed is never in the middle of one', async () => {
  const world = new World({ partitions: 1, seed: 7 });
  const left = Array.from({ length: 10 }, () => Array.from({ length: 20 }, () => TRACE).flat());
  const expected = 200;
  const started = [await world.start()];
  while (left.some(({ length }) => length > 0)) {
    const entries: Buffer[] = [];
    for (let i = 0; i < 5; i++) {
      const container = Math.floor(world.random() * left.length);
      const text = left[container]?.shift();
      if (text !== undefined) entries.push(...lines(world, [text], `container-${container}`));
    }
    if (entries.length === 0) continue;
    await send(world, entries);
    await world.clock.advance(Math.floor(world.random() * 100));
    if (world.random() < 0.1) {
      world.queue.rebalance();
      if (world.random() < 0.5) {
        await world.clock.until(started.at(-1)!.stop());
        started.push(await world.start());
      }
    }
  }
  await world.drained();
  for (const indexer of started) {
    await world.clock.until(indexer.stop());
    assert.equal(indexer.ledger.imbalance, 0);
  }
  const documents = found(world);
  const partial = documents.filter((document) => JSON.stringify(document).includes('"partial"')).length;
  const single = documents.filter((document) => isDeepStrictEqual(document, whole)).length;
  assert.equal(documents.length - partial, single, 'what is not marked is whole');
  assert(single > expected * 0.9 && single <= expected, `${single} whole, ${partial} marked`);
  const all = [...world.store.documents.values()].flatMap(({ message }) => String(message).split('\n'));
  assert.equal(all.length, expected * TRACE.length, 'each line is there once');
});

test('lines of different files do not mix, by whatever name their tailer tells the file', async () => {
  const at = '2026-11-20T10:00:00.5Z stderr F';
  const names = ['log.file.path', 'filepath', 'file_path', 'filename', 'file', 'path', 'tailed_path', 'source'];
  for (const name of [...names, 'splunk.source', 'container_id', 'kubernetes.docker_id', 'k8s.pod.uid']) {
    const world = new World({ partitions: 1 });
    const texts = ['java.lang.IllegalStateException: x', '\tat a.B.c(B.java:1)', '\tat a.B.d(B.java:2)'];
    const sent = texts.flatMap((text) =>
      ['/f/a.log', '/f/b.log'].map((file) => world.entry({ message: `${at} ${text} ${file}`, [name]: file })),
    );
    await send(world, sent);
    const indexer = await world.start();
    await world.drained();
    await world.clock.until(indexer.stop());
    const messages = [...world.store.documents.values()].map(({ message }) => String(message));
    const expected = ['/f/a.log', '/f/b.log'].map((file) => texts.map((text) => `${text} ${file}`).join('\n'));
    assert.equal(messages.length, expected.length, name);
    assert.deepEqual(new Set(messages), new Set(expected), name);
  }
});

/** Messages of the documents that become of these records, sent in this order. */
async function messagesOf(records: readonly Record<string, string | number>[]): Promise<string[]> {
  const world = new World({ partitions: 1 });
  await send(
    world,
    records.map((record) => world.entry(record)),
  );
  const indexer = await world.start();
  await world.drained();
  await world.clock.until(indexer.stop());
  return [...world.store.documents.values()].map(({ message }) => String(message)).toSorted();
}

test('no field of a later line is lost: lines whose records differ are not joined', async () => {
  for (const key of ['user', 'pid', '_PID', 'thread', 'trace.id', 'level', 'host', 'filename', 'n', 'kubernetes']) {
    const records = TRACE.map((log, n) => ({ log, container_id: 'c', [key]: n % 2 === 0 ? 'a' : 'b' }));
    const [opening = '', one = '', two = ''] = TRACE;
    assert.deepEqual(await messagesOf(records), [one, `${opening}\n${two}`].toSorted(), key);
  }
  const more = TRACE.map((log, n) => ({ log, container_id: 'c', ...(n === 2 && { code: 17 }) }));
  assert.deepEqual(await messagesOf(more), [TRACE[2] ?? '', TRACE.slice(0, 2).join('\n')].toSorted(), 'a key more');
});

test('the order of keys may differ, as programs in Go write them', async () => {
  const turned = (record: Record<string, string>, by: number): Record<string, string> => {
    const pairs = Object.entries(record);
    return Object.fromEntries([...pairs.slice(by), ...pairs.slice(0, by)]);
  };
  const texts = [TRACE[0] ?? '', ...Array.from({ length: 6 }, (_, n) => `\tat a.B.c(B.java:${n})`)];
  const records = texts.map((log, n) =>
    turned({ container_id: 'c0ffee', container_name: '/web', source: 'stderr', log, team: 'blue' }, n % 5),
  );
  assert.deepEqual(await messagesOf(records), [texts.join('\n')]);
  const other = [
    { log: TRACE[0] ?? '', a: '1', b: '2' },
    { log: TRACE[1] ?? '', a: '2', b: '1' },
  ];
  assert.equal((await messagesOf(other)).length, 2, 'of the same keys, other values');
});

test('times, and places in a file or the journal, may differ', async () => {
  for (const key of ['time', '@timestamp', 'date', 'offset', 'log.offset', 'logtag', '__CURSOR', '_LINE_BREAK']) {
    const records = TRACE.map((log, n) => ({ log, container_id: 'c', [key]: '1'.repeat(n + 1) }));
    assert.deepEqual(await messagesOf(records), [TRACE.join('\n')], key);
  }
});

test('the times of all lines are kept', async () => {
  const world = new World({ partitions: 1 });
  const entries: Buffer[] = [];
  for (const line of lines(world, TRACE)) {
    const entry = Buffer.from(line);
    // [EventTime, record]: the seconds are behind three bytes.
    entry.writeUInt32BE(entry.readUInt32BE(3) + entries.length, 3);
    entry.writeUInt32BE(5 * entries.length, 7);
    entries.push(entry);
  }
  await send(world, entries);
  const indexer = await world.start();
  await world.drained();
  await world.clock.until(indexer.stop());
  const [document] = [...world.store.documents.values()];
  assert.deepEqual(document?.['log'], {
    flags: ['multiline'],
    lines: 3,
    line_offsets: [0, 1_000_000_005, 2_000_000_010],
  });
});
