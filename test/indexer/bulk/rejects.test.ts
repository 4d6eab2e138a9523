// Documents that are refused: once more as text, then the dead letters; the ledger hears of them only when those hold
// them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Abandonment } from '#indexer/bulk/abandonment.ts';
import { type BulkBatch, eventsOf } from '#indexer/settle/bulk-batch.ts';
import { BatchesInHand } from '#indexer/bulk/batches-in-hand.ts';
import type { RefusedItem } from '#indexer/settle/outcomes.ts';
import { Rejects } from '#indexer/bulk/rejects.ts';
import { Bench } from './bench.ts';

const REFUSED: RefusedItem = { reason: 'document_refused', error: 'conflict' };
const TOO_LARGE: RefusedItem = { reason: 'document_too_large', error: '413' };

/** `readable`: events that the queue's record still has. */
function arrange({ readable = Infinity } = {}) {
  const bench = new Bench();
  const { ledger } = bench;
  const stop = new AbortController();
  const inHand = new BatchesInHand({ slots: () => 1, waitingBytesMax: Infinity });
  ledger.trackInFlight(() => inHand.events);
  const delivered: BulkBatch[] = [];
  const deadLetters = Promise.withResolvers<void>();
  const rejects = new Rejects({
    refusals: {
      asText: async (batch) => {
        const ranges = batch.ranges.map((range) => ({ ...range, count: Math.min(range.count, readable) }));
        return { ...batch, ranges, asText: true };
      },
      deadLetter: () => deadLetters.promise,
    },
    ledger,
    telemetry: { rewritten: () => undefined },
    inHand,
    abandonment: new Abandonment(inHand, ledger),
    deliver: async (batch) => delivered.push(batch),
    signal: stop.signal,
  });
  const batchOf = (count: number, asText: boolean): BulkBatch => {
    const batch = { ...bench.batch(count, ['a']), asText };
    inHand.add(batch);
    return batch;
  };
  return { bench, ledger, inHand, delivered, deadLetters, rejects, batchOf };
}

test('columns', async () => {
  type Counts = readonly [asText: number, dead: number];
  const check = async (items: readonly RefusedItem[], asText: boolean, readable: number, expected: Counts) => {
    const { bench, ledger, inHand, delivered, deadLetters, rejects, batchOf } = arrange({ readable });
    const rejected = rejects.reject(batchOf(items.length, asText), items);
    await bench.clock.advance(1);
    assert.equal(ledger.counts.dead_lettered, 0, 'the dead letters do not hold them yet');
    assert.equal(inHand.events, items.length);
    deadLetters.resolve();
    await rejected;
    await bench.clock.advance(1);
    const rewritten = delivered.reduce((events, batch) => events + eventsOf(batch.ranges), 0);
    assert.deepEqual([rewritten, ledger.counts.dead_lettered], expected);
    assert.equal(inHand.events, rewritten, 'what was rewritten stays in hand');
    bench.check();
  };
  //          refused for                       as text already, events that can be read  → as text, dead-lettered
  await check([REFUSED], false, Infinity, [1, 0]);
  await check([REFUSED], true, Infinity, [0, 1]);
  await check([TOO_LARGE], false, Infinity, [0, 1]);
  await check([TOO_LARGE, REFUSED, REFUSED], false, Infinity, [2, 1]);
  await check([TOO_LARGE, REFUSED], true, Infinity, [0, 2]);
  await check([REFUSED, REFUSED], false, 1, [0, 2]);
  await check([REFUSED, REFUSED, TOO_LARGE], false, 1, [0, 3]);
});

test('what the dead letters do not hold when the process stops is abandoned, never settled', async () => {
  const { bench, ledger, inHand, deadLetters, rejects, batchOf } = arrange();
  await rejects.reject(batchOf(3, true), [REFUSED, REFUSED, REFUSED]);
  deadLetters.reject(new Error('stopped'));
  await bench.clock.advance(1);
  assert.deepEqual([ledger.counts.abandoned, ledger.counts.dead_lettered, inHand.events], [3, 0, 0]);
  assert.equal(bench.next, 0, 'the offset stays');
  bench.check();
});
