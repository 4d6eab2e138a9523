import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { type ChunkRefusal, ChunkTurns } from '#shared/net/chunk-turns.ts';

/** How many chunks a request brings before one is refused, and why; up to 2,000 in this turn. */
function taken(bytes: number, request = new ChunkTurns()): [chunks: number, why: ChunkRefusal | null] {
  for (let chunks = 0; chunks < 2000; chunks++) {
    const why = request.add(bytes);
    if (why !== null) return [chunks, why];
  }
  return [2000, null];
}

test('many chunks of a few bytes in one turn are refused, in several they are not', async () => {
  await turn();
  assert.deepEqual(taken(7), [1000, 'CHUNKS_TOO_SMALL']);
  assert.deepEqual(taken(8), [2000, null]);
  const slow = new ChunkTurns();
  for (let i = 0; i < 3000; i++) {
    assert.equal(slow.add(1), null);
    if (i % 500 === 0) await turn();
  }
});

test('a turn has so many chunks; who brings few of them, or large ones, is not refused', async () => {
  await turn();
  for (let i = 0; i < 40; i++) taken(1023);
  assert.deepEqual(taken(100), [8, 'CHUNKS_TOO_MANY']);
  assert.deepEqual(taken(1024), [2000, null]);
  await turn();
  assert.deepEqual(taken(100), [2000, null]);
});

test('the smallest are refused: a chunk a line goes on beside any number of smaller ones', async () => {
  await turn();
  const first = Array.from({ length: 200 }, () => taken(8)).find(([, why]) => why !== null);
  assert.equal(first?.[1], 'CHUNKS_TOO_MANY');
  assert.deepEqual(taken(8), [8, 'CHUNKS_TOO_MANY']);
  assert.deepEqual(taken(300), [2000, null]);
});
