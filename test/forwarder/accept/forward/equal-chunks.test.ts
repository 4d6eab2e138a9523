// What a chunk goes by whose id is a hash of its content. A row is a connection's steps, in time: `a` is sent, `a!` is
// sent and acked.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EqualChunks, type NamedChunk, UnackedNames } from '#forwarder/accept/forward/equal-chunks.ts';
import type { Chunk } from '#forwarder/intake/chunk.ts';
import { contentOf } from '#forwarder/decode/content-name.ts';

const HASH = 'cf83e1357eefb8bdf1542850d66d8007';

function chunkOf(changes: Partial<Chunk> = {}): Chunk {
  const entries = changes.entries ?? Buffer.from('entries');
  const origin = { tag: 'app', input: 'forward', tenant: null, sender: '10.0.0.1' } as const;
  return {
    ...origin,
    chunkId: Buffer.from(HASH),
    encoding: 'identity',
    bytes: entries,
    entries,
    count: 1,
    ...changes,
  };
}

const nameOf = ({ chunk }: NamedChunk): string => Buffer.from(chunk.chunkId ?? []).toString('latin1');

/** Sends it, and has its ack written. */
function acked(connection: EqualChunks, chunk = chunkOf()): NamedChunk {
  const named = sent(connection, chunk);
  named.acked();
  return named;
}

function sent(connection: EqualChunks, chunk = chunkOf()): NamedChunk {
  const named = connection.named(chunk, ({ entries }) => contentOf(entries));
  assert(named);
  assert.deepEqual(named.chunk.content, contentOf(chunk.entries));
  return named;
}

const unasked = (): never => assert.fail('its content is looked at');

test('ids of any other form stay as they are', () => {
  const connection = new EqualChunks(new UnackedNames());
  const others = ['', 'one', 'ZGF0YQ==\n', HASH.slice(1), `${HASH}0`, HASH.toUpperCase(), HASH.replace('c', 'g')];
  for (const id of others) assert.equal(connection.named(chunkOf({ chunkId: Buffer.from(id) }), unasked), null, id);
  assert.equal(connection.named(chunkOf({ chunkId: null }), unasked), null);
});

test('behind its ack an equal chunk is new, each time', () => {
  const connection = new EqualChunks(new UnackedNames());
  const all = [1, 2, 3].map(() => acked(connection));
  assert.deepEqual(
    all.map(({ isNew }) => isNew),
    [false, true, true],
  );
  assert.equal(nameOf(all[0]!), HASH);
  assert.equal(new Set(all.map(nameOf)).size, 3);
});

test('before its ack, and on another connection, it is a repeat', () => {
  const unacked = new UnackedNames();
  const one = new EqualChunks(unacked);
  assert.deepEqual([sent(one), sent(one)].map(nameOf), [HASH, HASH]);
  acked(one);
  const other = acked(new EqualChunks(unacked));
  assert.deepEqual([nameOf(other), other.isNew], [HASH, false]);
});

test('what differs in id, content, length or tag is no repeat', () => {
  const connection = new EqualChunks(new UnackedNames());
  acked(connection);
  for (const change of [
    { chunkId: Buffer.from(HASH.replace('c', 'd')) },
    { entries: Buffer.from('entriez') },
    { entries: Buffer.from('entries\n') },
    { tag: 'apq' },
  ])
    assert.equal(sent(connection, chunkOf(change)).isNew, false);
  assert.equal(sent(connection).isNew, true);
});

test('a new one that was not acked comes again under its own name, on any connection, until it is', () => {
  const unacked = new UnackedNames();
  const one = new EqualChunks(unacked);
  acked(one);
  const lost = sent(one);
  assert.equal(lost.isNew, true);
  assert.equal(nameOf(sent(one)), nameOf(lost));
  const second = new EqualChunks(unacked);
  const again = sent(second);
  assert.deepEqual([nameOf(again), again.isNew], [nameOf(lost), false]);
  // Nor is it another sender's, or another tenant's.
  assert.equal(nameOf(sent(new EqualChunks(unacked), chunkOf({ sender: '10.0.0.2' }))), HASH);
  assert.equal(nameOf(sent(new EqualChunks(unacked), chunkOf({ tenant: 'a' }))), HASH);
  again.acked();
  assert.equal(nameOf(sent(new EqualChunks(unacked))), HASH);
  // And the connection that wrote that ack goes on from there.
  const third = sent(second);
  assert.deepEqual([third.isNew, nameOf(third) === nameOf(lost)], [true, false]);
});

test('new names of different connections differ', () => {
  const unacked = new UnackedNames();
  const [one, two] = [new EqualChunks(unacked), new EqualChunks(unacked)];
  acked(one);
  acked(two);
  const ofOne = acked(one);
  const ofTwo = acked(two);
  assert.deepEqual([ofOne.isNew, ofTwo.isNew], [true, true]);
  assert.notEqual(nameOf(ofOne), nameOf(ofTwo));
});

test('a connection remembers the last 256', () => {
  const connection = new EqualChunks(new UnackedNames());
  const numbered = (n: number) => chunkOf({ entries: Buffer.from(`entry ${n}`) });
  for (let n = 0; n < 257; n += 1) acked(connection, numbered(n));
  assert.equal(sent(connection, numbered(1)).isNew, true);
  assert.equal(sent(connection, numbered(0)).isNew, false);
});
