// What a spool writes comes out as it went in; what it did not write is nothing, and never a throw.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Headers } from '#shared/queue/headers.ts';
import { headedRecord } from '#shared/queue/headers.ts';
import type { DeadLetter } from '#shared/queue/queue.ts';
import {
  decodeSpoolEntry,
  encodeSpooledDeadLetter,
  encodeSpooledRecord,
  eventsOf,
  type SpoolEntry,
} from '#shared/queue/spooled/local/spool-entry.ts';
import type { QueueRecord } from '#shared/record/record.ts';
import { recordOf } from './records.ts';

const bytes = fc.uint8Array({ maxLength: 50 }).map((array) => Buffer.from(array));
const text = fc.string({ maxLength: 50, unit: 'grapheme' });
const record = fc.record({ encoding: fc.constantFrom('identity', 'gzip', 'zstd'), batches: bytes, value: bytes });
const index = fc.option(fc.record({ index: fc.nat(0xffffffff) }), { nil: {} });
const id = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((array) => Buffer.from(array));
const place = fc.record(
  { id, at: fc.maxSafeNat(), bytes: fc.maxSafeNat(), tableBytes: fc.maxSafeNat() },
  { noNullPrototype: true },
);
const fragment = fc.option(fc.record({ fragment: place }), { nil: {} });
const deadLetter: fc.Arbitrary<DeadLetter> = fc
  .tuple(
    fc.record({ batches: bytes, reason: text, error: text, from: text, value: bytes, cut: fc.boolean() }),
    index,
    fragment,
  )
  .map(([whole, where, place]) => ({ ...whole, ...where, ...place }));

/** As it comes out of the local queue, with headers that it adds. */
function through(spooled: QueueRecord): SpoolEntry | null {
  const { headers, value } = headedRecord(spooled);
  return decodeSpoolEntry(headers, value);
}

describe('spool entry', () => {
  it('is a record with its partition', () => {
    fc.assert(
      fc.property(record, fc.nat(0xffffffff), (given, partition) => {
        assert.deepEqual(through(encodeSpooledRecord(given, partition)), {
          kind: 'record',
          partition,
          record: { ...given },
        });
      }),
    );
  });

  it('is a dead letter', () => {
    fc.assert(
      fc.property(deadLetter, (given) => {
        assert.deepEqual(through(encodeSpooledDeadLetter(given)), { kind: 'dead-letter', deadLetter: given });
      }),
    );
  });

  it('is nothing where it is cut in its head, and never a throw', () => {
    const letterBytes = encodeSpooledDeadLetter({
      batches: Buffer.from('batches'),
      reason: 'reason',
      error: 'error',
      from: 'edge',
      value: Buffer.alloc(0),
      cut: false,
      fragment: { id: Buffer.alloc(16), at: 1, bytes: 2, tableBytes: 0 },
    }).value;
    for (let end = 0; end < letterBytes.length; end++) {
      assert.equal(decodeSpoolEntry({ batches: Buffer.alloc(0) }, letterBytes.subarray(0, end)), null, `cut at ${end}`);
    }
    const headers: fc.Arbitrary<Headers> = fc.dictionary(fc.constantFrom('batches', 'encoding', 'v'), bytes);
    fc.assert(fc.property(headers, bytes, (given, value) => void decodeSpoolEntry(given, value)));
  });

  it('has the events of its batches', () => {
    assert.equal(eventsOf(recordOf('a', 0, 7).batches), 7);
    assert.equal(eventsOf(undefined), 0);
    assert.equal(eventsOf(Buffer.from('?')), 0);
  });
});
