// How many events a batch may have for its bytes, and what their tags may take.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BatchSize, excessOf } from '#shared/record/event-limit.ts';

const MIB = 1024 * 1024;

for (const [what, size, isExcess] of [
  ['no event', { count: 0, tag: 'a', bytes: 0 }, false],
  ['as many as any batch may have', { count: 100_000, tag: 'a', bytes: 300_000 }, false],
  ['one more, of three bytes each', { count: 100_001, tag: 'a', bytes: 300_003 }, true],
  ['many, of sixteen bytes each', { count: 4_000_000, tag: 'a', bytes: 64_000_000 }, false],
  ['one more than that', { count: 4_000_001, tag: 'a', bytes: 64_000_000 }, true],
  ['an ordinary tag and the smallest events', { count: 100_000, tag: 'x'.repeat(256), bytes: 300_000 }, false],
  ['a longer one', { count: 100_000, tag: 'x'.repeat(281), bytes: 300_000 }, true],
  ['a long tag and few events', { count: 11, tag: 'x'.repeat(1024), bytes: 33 }, false],
  ['a long tag and more', { count: 12, tag: 'x'.repeat(1024), bytes: 36 }, true],
  ['a long tag and large events', { count: 100_000, tag: 'x'.repeat(1024), bytes: 9_600_000 }, false],
  ['a long tag and one byte less', { count: 100_000, tag: 'x'.repeat(1024), bytes: 9_598_975 }, true],
  ['control characters, six bytes each in a document', { count: 2, tag: '\u0001'.repeat(1023), bytes: 6 }, true],
  ['one alone', { count: 1, tag: '\u0001'.repeat(1023), bytes: 3 }, false],
  ['as many as were found', { count: 187_500, tag: '\u0001'.repeat(1023), bytes: 3_000_000 }, true],
  ['quotes, two bytes each', { count: 8192, tag: '"'.repeat(1024), bytes: MIB }, true],
] as const satisfies readonly (readonly [string, BatchSize, boolean])[]) {
  test(`${what}: ${size.count} events in ${size.bytes} bytes`, () => {
    assert.equal(excessOf(size) !== null, isExcess, excessOf(size) ?? 'taken');
  });
}
