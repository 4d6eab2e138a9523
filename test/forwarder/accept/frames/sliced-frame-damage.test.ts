// Chunks with something bad in them, by way of a session and the real intake: what is whole goes on under its names,
// what is bad goes to the dead letters, and their senders hear an ack.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { decodeBatches } from '#shared/record/record.ts';
import {
  MIB,
  setUp,
  heldOf,
  logsOf,
  indexesOf,
  idsOf,
  entry,
  packed,
  forward,
  A,
  B,
  C,
  NIL,
  NO_MAP,
} from './sliced-frame-fixture.ts';

for (const [what, frame, logs, indexes, letters] of [
  ['a nil between', packed(Buffer.concat([A, NIL, B])), ['a', 'b'], [0, 2], [[1, 'entry_malformed', NIL]]],
  ['a record that is no map, first', packed(Buffer.concat([NO_MAP, A])), ['a'], [1], [[0, 'entry_malformed', NO_MAP]]],
  [
    'a torn tail',
    packed(Buffer.concat([A, B, C.subarray(0, 5)])),
    ['a', 'b'],
    [0, 1],
    [[null, 'chunk_undecodable', C.subarray(0, 5)]],
  ],
  [
    'a bad entry and no msgpack',
    packed(Buffer.concat([A, NIL, B, Buffer.of(0xc1), C])),
    ['a', 'b'],
    [0, 2],
    [
      [1, 'entry_malformed', NIL],
      [null, 'chunk_undecodable', Buffer.concat([Buffer.of(0xc1), C])],
    ],
  ],
  ['Forward mode', forward([A, NO_MAP, B]), ['a', 'b'], [0, 2], [[1, 'entry_malformed', NO_MAP]]],
  [
    'gzip with a bad entry',
    packed(gzipSync(Buffer.concat([A, NIL, NIL, B])), { chunk: 'id', compressed: 'gzip' }),
    ['a', 'b'],
    [0, 3],
    [
      [1, 'entry_malformed', NIL],
      [2, 'entry_malformed', NIL],
    ],
  ],
] as const) {
  test(`what is whole of a chunk goes on: ${what}`, async (t) => {
    const { queue, open, counted, value } = await setUp(t);
    const { socket, answers } = open();
    socket.write(frame);
    assert.deepEqual(await answers.next(), { ack: 'id' });
    const held = await heldOf(queue);
    assert.deepEqual(logsOf(held), logs);
    assert.deepEqual(indexesOf(held), indexes);
    assert.deepEqual(
      queue.letters.map((letter) => [letter.index ?? null, letter.reason, Buffer.from(letter.value)]),
      letters,
    );
    const [id] = idsOf(held);
    assert.deepEqual(idsOf(held), [id]);
    for (const letter of queue.letters) assert.equal(decodeBatches(letter.batches)?.[0]?.id.toHex(), id);
    const bad = letters.filter(([index]) => index !== null).length;
    if (bad > 0) {
      const rejected = await counted('events_rejected_total');
      assert.deepEqual(rejected, { '{input="forward",reason="entry_malformed"}': bad });
    }
    const unread = letters.length - bad;
    const chunks = unread > 0 ? { '{input="forward",reason="chunk_undecodable"}': unread } : {};
    assert.deepEqual(await counted('chunks_rejected_total'), chunks);
    assert.equal(await value('ledger_imbalance'), 0);
    assert.equal(await value('events_inflight'), 0);
    // A repeat has the same names.
    socket.write(frame);
    assert.deepEqual(await answers.next(), { ack: 'id' });
    assert.deepEqual([...(await heldOf(queue)).keys()], [...held.keys()]);
  });
}

test('cut at every byte: the whole entries before the cut, the tail with the dead letters, and an ack', async (t) => {
  const { queue, open, value } = await setUp(t);
  const { socket, answers } = open();
  const entries = Array.from({ length: 6 }, (_, i) => entry('x'.repeat(i * 7)));
  const run = Buffer.concat(entries);
  for (let at = 1; at < run.length; at += 1) {
    queue.appends.length = queue.letters.length = 0;
    socket.write(packed(run.subarray(0, at), { chunk: `${at}` }));
    assert.deepEqual(await answers.next(), { ack: `${at}` });
    let end = 0;
    let whole = 0;
    while (end + (entries[whole]?.length ?? Infinity) <= at) end += entries[whole++]?.length ?? 0;
    assert.equal((await heldOf(queue)).size, whole, `cut at ${at}`);
    const tails = queue.letters.map((letter) => Buffer.from(letter.value));
    assert.deepEqual(tails, end < at ? [run.subarray(end, at)] : []);
  }
  assert.equal(await value('ledger_imbalance'), 0);
});

for (const [encoding, pack] of [
  ['gzip', gzipSync],
  ['zstd', zstdCompressSync],
] as const) {
  test(`${encoding} that is torn at any byte: what comes out goes on, and the dead letters have it all`, async (t) => {
    const { queue, open, value } = await setUp(t);
    const { socket, answers } = open();
    const logs = Array.from({ length: 200 }, (_, i) => `${i} ${crypto.randomUUID()}`);
    const parts = [logs.slice(0, 100), logs.slice(100)].map((part) => pack(Buffer.concat(part.map(entry))));
    const all = Buffer.concat(parts);
    for (let at = 1; at < all.length; at += 131) {
      queue.appends.length = queue.letters.length = 0;
      socket.write(packed(all.subarray(0, at), { chunk: `${at}`, compressed: encoding }));
      assert.deepEqual(await answers.next(), { ack: `${at}` });
      const held = logsOf(await heldOf(queue));
      assert.deepEqual(held, logs.slice(0, held.length));
      assert.ok(at < (parts[0]?.length ?? 0) || held.length >= 100, `${held.length} of a chunk cut at ${at}`);
      assert.deepEqual(
        queue.letters.map((letter) => Buffer.from(letter.value)),
        [all.subarray(0, at)],
      );
    }
    assert.equal(await value('ledger_imbalance'), 0);
  });
}

test('values that are nested too deep: a dead letter has all of each, and the event loop goes on', async (t) => {
  const { open, queue } = await setUp(t);
  const deep = Buffer.concat([Buffer.alloc(101, 0x91), Buffer.of(7)]);
  const values = 10_000;
  const { socket, answers } = open();
  let turns = 0;
  let isDone = false;
  const turn = (): void => {
    turns += 1;
    if (!isDone) setImmediate(turn);
  };
  turn();
  const run = Buffer.concat([A, ...Array.from({ length: values }, () => deep), B]);
  socket.write(packed(gzipSync(run), { chunk: 'deep', compressed: 'gzip' }));
  assert.deepEqual(await answers.next(), { ack: 'deep' });
  isDone = true;
  assert.ok(turns >= (2 * values) / 256, `${turns} turns`);
  assert.deepEqual(indexesOf(await heldOf(queue)), [0, values + 1]);
  const bytes = Buffer.concat(queue.letters.map(({ value }) => Buffer.from(value)));
  assert.ok(bytes.equals(run.subarray(A.length, run.length - B.length)), 'no byte is lost');
  assert.deepEqual(Buffer.from(queue.letters[0]?.value ?? []), deep);
});

test('many bad entries cost at most a thousand letters and what their bytes need', async (t) => {
  const { open, queue, counted, value } = await setUp(t, { frameBytesMax: 4 * MIB });
  const { socket, answers } = open();
  const run = Buffer.concat(Array.from({ length: 20_000 }, () => Buffer.concat([A, NIL, NIL])));
  socket.write(packed(run));
  assert.deepEqual(await answers.next(), { ack: 'id' });
  const held = await heldOf(queue);
  assert.equal(held.size, 20_000);
  assert.deepEqual(indexesOf(held).slice(0, 3), [0, 3, 6]);
  assert.equal(queue.letters.filter(({ index }) => index !== undefined).length, 1000);
  const bytes = queue.letters.reduce((sum, letter) => sum + letter.value.length, 0);
  assert.equal(bytes, 40_000);
  assert.deepEqual(await counted('events_rejected_total'), { '{input="forward",reason="entry_malformed"}': 40_000 });
  assert.equal(await value('ledger_imbalance'), 0);
});
