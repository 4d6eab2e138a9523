// Where a run of entries is split, and that no step of it is long, whatever the entries hold.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countEntries } from '#shared/msgpack/extents.ts';
import { WINDOW_BYTES } from '#shared/msgpack/long-value.ts';
import { splitEntries, STEP_BYTES } from '#shared/msgpack/split-entries.ts';

/** [1, {"": […]}] with an array of so many one-byte integers. */
function entryOf(values: number): Buffer {
  const entry = Buffer.alloc(9 + values, 1);
  Buffer.from('920181a0dd', 'hex').copy(entry);
  entry.writeUInt32BE(values, 5);
  return entry;
}

function check(
  what: string,
  values: readonly number[],
  bytesMax: number,
  expected: readonly number[],
  steps = 0,
): void {
  test(what, () => {
    const bytes = Buffer.concat(values.map(entryOf));
    const all = [...splitEntries(bytes, bytesMax)];
    const spans = all.filter((span) => span !== null);
    assert.deepEqual(
      spans.map(({ count }) => count),
      expected,
    );
    let at = 0;
    for (const { start, end, count } of spans) {
      assert.equal(start, at);
      assert.equal(countEntries(bytes, start, end), count);
      at = end;
    }
    assert.equal(at, bytes.length);
    assert(all.length - spans.length >= steps, `${all.length - spans.length} steps`);
  });
}

check('nothing', [], 10, []);
check('all in one', [1, 1, 1], 100, [3]);
check('exactly full', [1, 1, 1], 20, [2, 1]);
check('a byte too many', [1, 1, 1], 19, [1, 1, 1]);
check('one each', [5, 5, 5], 10, [1, 1, 1]);
check('one that is too large', [1, 200, 1, 1], 40, [1, 1, 2]);
check('one that just fills a window', [WINDOW_BYTES - 9, 1], WINDOW_BYTES, [1, 1]);
check('one that ends just behind a window', [1, WINDOW_BYTES - 8, 1], 100, [1, 1, 1], 1);
const long = 10 * STEP_BYTES;
check('long ones, each passed over in steps', [long, 1, long, 1], STEP_BYTES, [1, 1, 1, 1], (2 * long) / WINDOW_BYTES);
check(
  'many small ones, in steps',
  Array.from({ length: 4 * 1024 }, () => 1015),
  8 * STEP_BYTES,
  [4096],
  3,
);

test('a run that ends within an entry: what is whole comes out', () => {
  const bytes = Buffer.concat([entryOf(1), entryOf(2 * WINDOW_BYTES)]).subarray(0, -1);
  assert.deepEqual(
    [...splitEntries(bytes, 100)].filter((span) => span !== null),
    [{ start: 0, end: 10, count: 1 }],
  );
});
