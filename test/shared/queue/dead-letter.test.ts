// Dead letters and marks as they are read back, whatever lies in the topic.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readDeadLetter, recordOfDeadLetter, replayMark } from '#shared/queue/dead-letter.ts';
import { headedDeadLetter } from '#shared/queue/headers.ts';
import type { DeadLetter } from '#shared/queue/queue.ts';
import { decodeBatches, encodeBatches } from '#shared/record/record.ts';

const batch = {
  id: Buffer.alloc(16, 7),
  first: 0,
  count: 9,
  tag: 'app.web',
  input: 'forward',
  tenant: null,
  receivedMs: 5,
  seq: 100,
  sender: 's',
  version: 2 as const,
  chain: null,
};
const deadLetter: DeadLetter = {
  batches: encodeBatches([batch]),
  index: 4,
  reason: 'document_refused',
  error: 'it said “no”',
  from: 'sluice.logs/0/7',
  value: Buffer.from([0x92, 0x00, 0x80]),
  cut: false,
};
const readBack = (given: DeadLetter) =>
  readDeadLetter({ ...headedDeadLetter(given), partition: 2, offset: 33, timestampMs: 44 });

test('a dead letter is read as it was written', () => {
  const read = readBack(deadLetter);
  assert(read.kind === 'dead-letter');
  assert.deepEqual(
    {
      ...read,
      batches: read.batches.map(({ tag, seq }) => [tag, seq]),
      value: Buffer.from(read.value).toString('hex'),
    },
    {
      kind: 'dead-letter',
      partition: 2,
      offset: 33,
      timeMs: 44,
      batches: [['app.web', 100]],
      index: 4,
      reason: 'document_refused',
      error: 'it said “no”',
      from: 'sluice.logs/0/7',
      value: '920080',
      cut: false,
      missingBytes: 0,
      encoding: '',
      recordVersion: '',
    },
  );
  const record = recordOfDeadLetter(read);
  assert(typeof record === 'object');
  const [only] = decodeBatches(record.headers['batches'] ?? Buffer.alloc(0)) ?? [];
  assert.deepEqual([only?.first, only?.count, only?.seq], [4, 1, 100], 'the event keeps its index, and so its name');
});

test('an index that no event has is none, and its dead letter is not replayed', () => {
  for (const index of [2 ** 32, Number.MAX_SAFE_INTEGER]) {
    const read = readBack({ ...deadLetter, index });
    assert(read.kind === 'dead-letter');
    assert.equal(read.index, null);
    assert.equal(typeof recordOfDeadLetter(read), 'string');
  }
});

test('a mark names what is done', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(10_000), fc.maxSafeNat()).map(([partition, offset]) => ({ partition, offset }))),
      (done) => assert.deepEqual(readBack(replayMark(done)), { kind: 'mark', done }),
    ),
  );
});

test('whatever lies in the topic is read as something', () => {
  const bytes = fc.uint8Array({ maxLength: 60 });
  const headers = fc.dictionary(
    fc.constantFrom(
      'v',
      'batches',
      'index',
      'reason',
      'error',
      'from',
      'cut',
      'encoding',
      'record_v',
      'parts_id',
      'parts_bytes',
      'part_at',
      'parts_cut',
      'table_bytes',
    ),
    fc.oneof(
      bytes,
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      fc.constantFrom(...['1', '60', 'zstd', 'replayed', 'replay', '-3', '1e99'].map((s) => Buffer.from(s))),
    ),
  );
  fc.assert(
    fc.property(headers, bytes, (given, value) => {
      const read = readDeadLetter({ partition: 0, offset: 0, timestampMs: 0, headers: given, value });
      if (read.kind === 'dead-letter') recordOfDeadLetter(read);
      else if (read.kind === 'fragment') assert(read.fragment.at + value.length <= read.fragment.bytes);
      else assert(read.done.every((position) => Object.values(position).every(Number.isSafeInteger)));
    }),
    { numRuns: 2000 },
  );
});
