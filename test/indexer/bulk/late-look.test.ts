import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BulkAnswer } from '#indexer/bulk/answer.ts';
import { LateLook } from '#indexer/bulk/late-look.ts';
import type { Parcel } from '#indexer/bulk/parcel.ts';
import { Assignment } from '#indexer/in-hand.ts';
import { Bench } from './bench.ts';

function arrange() {
  const bench = new Bench();
  const looked: string[] = [];
  let failures = 0;
  const told: number[] = [];
  const stop = new AbortController();
  const look = new LateLook({
    lookBack: {
      lookAgain: async (_, ids) => {
        if (failures-- > 0) throw new Error('away');
        looked.push(...ids);
      },
    },
    clock: bench.clock,
    random: () => 0.5,
    telemetry: { secondLookFailed: (_, ids) => void told.push(ids) },
    signal: stop.signal,
  });
  const fail = (times: number): void => void (failures = times);
  /** A parcel of an event and a line of one part. */
  const withLine = (): Parcel => {
    const { request, runs, asText } = bench.parcel(2, ['a']);
    const [run] = runs;
    assert(run);
    const line = { bytes: new Uint8Array(), partial: true };
    const { record, batch } = run;
    const part = { record, batch, entry: 1, index: 1 };
    return {
      request,
      asText,
      runs: [
        { ...run, count: 1 },
        { ...run, ...part, count: 1, line, parts: [part] },
      ],
    };
  };
  return { bench, look, looked, told, fail, stop, withLine };
}

const idOf = ({ request }: Parcel, number: number): string | undefined => request.items[number]?.id;

test('lines that another may have written too are looked for when its time is over, though the assignment is', async () => {
  const { bench, look, looked, withLine } = arrange();
  const { clock } = bench;
  bench.assignment.inherit(0, 1000, clock.monotonicMs() + 10_000);
  const [first, second, third] = [withLine(), withLine(), withLine()];
  look.keepLines(first, new BulkAnswer([{ status: 201 }, { status: 201 }]));
  look.keepLines(second, new BulkAnswer([{ status: 201 }, { status: 429 }]));
  await clock.advance(5000);
  bench.assignment.void = true;
  const next = new Assignment(2, [{ partition: 0, next: 0, isKept: true }], bench.assignment);
  const other = new Assignment(2, [{ partition: 0, next: 0 }], bench.assignment);
  look.keepLines(third, new BulkAnswer([{ status: 201 }, { status: 409 }]));
  await clock.advance(4000);
  assert.deepEqual([looked, next.isWaiting, other.isWaiting], [[], true, false]);
  await clock.advance(1500);
  assert.deepEqual(looked, [idOf(first, 1), idOf(third, 1)]);
  assert.equal(next.isWaiting, false);
});

test('what only we can write is not looked for', async () => {
  const { bench, look, looked, withLine } = arrange();
  bench.assignment.inherit(0, 1000, bench.clock.monotonicMs() + 10_000);
  bench.assignment.release();
  look.keepLines(withLine(), new BulkAnswer([{ status: 201 }, { status: 201 }]));
  await bench.clock.advance(20_000);
  assert.deepEqual([looked, bench.assignment.isWaiting], [[], false]);
});

test('a look that fails is told and tried again; what comes meanwhile is looked for too, and offsets wait for all', async () => {
  const { bench, look, looked, told, fail, withLine } = arrange();
  const { clock, assignment } = bench;
  assignment.inherit(0, 1000, clock.monotonicMs() + 1000);
  const [first, second] = [withLine(), withLine()];
  const answer = new BulkAnswer([{ status: 201 }, { status: 201 }]);
  fail(3);
  look.keepLines(first, answer);
  await clock.advance(1100);
  assert.match(look.trouble ?? '', /second copies were looked for: away$/);
  look.keepLines(second, answer);
  assignment.release();
  assert(assignment.isWaiting);
  await clock.advance(10_000);
  assert.deepEqual([told[0], told.length], [1, 3]);
  assert.deepEqual([looked, look.trouble, assignment.isWaiting], [[idOf(first, 1), idOf(second, 1)], null, false]);
});

test('who stops before has not looked: the offsets stay', async () => {
  const { bench, look, looked, stop } = arrange();
  const over = Promise.withResolvers<void>();
  look.after(over.promise, bench.parcel(3, ['a', 'b']));
  stop.abort();
  over.resolve();
  await bench.clock.advance(10_000);
  assert.deepEqual([looked, bench.assignment.isWaiting], [[], true]);
});
