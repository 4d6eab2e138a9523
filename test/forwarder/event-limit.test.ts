// How many events a batch may have for its bytes, and what their tags may take.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BatchSize, excessOf } from '#forwarder/event-limit.ts';

const MIB = 1024 * 1024;

for (const [what, size, isExcess] of [
  ['no event', { count: 0, tag: 'a', bytes: 0 }, false],
  ['as many as any batch may have', { count: 100_000, tag: 'a', bytes: 300_000 }, false],
  ['one more, of three bytes each', { count: 100_001, tag: 'a', bytes: 300_003 }, true],
  ['many, of sixteen bytes each', { count: 4_000_000, tag: 'a', bytes: 64_000_000 }, false],
  ['one more than that', { count: 4_000_001, tag: 'a', bytes: 64_000_000 }, true],
  ['a long tag and few events', { count: 16_384, tag: 'x'.repeat(1024), bytes: MIB }, false],
  ['one more than that', { count: 16_385, tag: 'x'.repeat(1024), bytes: MIB }, true],
  ['a long tag and large events', { count: 100_000, tag: 'x'.repeat(1024), bytes: 12_800_000 }, false],
  ['control characters, six bytes each in a document', { count: 2731, tag: '\u0001'.repeat(1024), bytes: MIB }, true],
  ['as many as fit', { count: 2730, tag: '\u0001'.repeat(1024), bytes: MIB }, false],
  ['quotes, two bytes each', { count: 8192, tag: '"'.repeat(1024), bytes: MIB }, false],
  ['characters of three bytes', { count: 16_386, tag: '€'.repeat(341), bytes: MIB }, false],
] as const satisfies readonly (readonly [string, BatchSize, boolean])[]) {
  test(`${what}: ${size.count} events in ${size.bytes} bytes`, () => {
    assert.equal(excessOf(size) !== null, isExcess, excessOf(size) ?? 'taken');
  });
}
