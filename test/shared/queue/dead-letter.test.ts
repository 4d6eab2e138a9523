// Dead letters and marks as they are read back, whatever lies in the topic; and letters that a topic with a small limit must take.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readDeadLetter, recordOfLetter, replayMark } from '#shared/queue/dead-letter.ts';
import { headedLetter } from '#shared/queue/headers.ts';
import { letterGroups } from '#shared/queue/kafka/letter-groups.ts';
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
const letter: DeadLetter = {
  batches: encodeBatches([batch]),
  index: 4,
  reason: 'document_refused',
  error: 'it said “no”',
  from: 'sluice.logs/0/7',
  value: Buffer.from([0x92, 0x00, 0x80]),
  cut: false,
};
const readBack = (given: DeadLetter) =>
  readDeadLetter({ ...headedLetter(given), partition: 2, offset: 33, timestampMs: 44 });

test('a letter is read as it was written', () => {
  const read = readBack(letter);
  assert(read.kind === 'letter');
  assert.deepEqual(
    {
      ...read,
      batches: read.batches.map(({ tag, seq }) => [tag, seq]),
      value: Buffer.from(read.value).toString('hex'),
    },
    {
      kind: 'letter',
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
      encoding: '',
      recordVersion: '',
    },
  );
  const record = recordOfLetter(read);
  assert(typeof record === 'object');
  const [only] = decodeBatches(record.headers['batches'] ?? Buffer.alloc(0)) ?? [];
  assert.deepEqual([only?.first, only?.count, only?.seq], [4, 1, 100], 'the event keeps its index, and so its name');
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
    fc.constantFrom('v', 'batches', 'index', 'reason', 'error', 'from', 'cut', 'encoding', 'record_v'),
    fc.oneof(bytes, fc.constantFrom(...['1', 'zstd', 'replayed', 'replay', '-3', '1e99'].map((s) => Buffer.from(s)))),
  );
  fc.assert(
    fc.property(headers, bytes, (given, value) => {
      const read = readDeadLetter({ partition: 0, offset: 0, timestampMs: 0, headers: given, value });
      if (read.kind === 'letter') recordOfLetter(read);
      else assert(read.done.every((position) => Object.values(position).every(Number.isSafeInteger)));
    }),
    { numRuns: 2000 },
  );
});

test('a letter that is too large for its topic is cut and marked, and the others stay whole', () => {
  const check = (valueBytes: number, batchesBytes: number, bytesMax: number): { value: number; batches: number } => {
    const large = { ...letter, value: Buffer.alloc(valueBytes), batches: Buffer.alloc(batchesBytes) };
    const groups = [...letterGroups([letter, large, letter], bytesMax)];
    const records = groups.flatMap((group) => group.records);
    assert.equal(records.length, 3);
    for (const { bytes } of groups) assert(bytes <= bytesMax, `${bytes} bytes in ${bytesMax}`);
    const [before, cut, after] = records;
    for (const record of [before, after]) assert.equal(record?.headers['cut'], undefined);
    assert.equal(Buffer.from(cut?.headers['cut'] ?? []).toString(), '1');
    return { value: cut?.value.length ?? -1, batches: cut?.headers['batches']?.length ?? -1 };
  };
  const valueCut = check(50_000, 100, 10_000);
  assert(valueCut.value > 9000 && valueCut.batches === 100);
  assert.deepEqual(check(50_000, 20_000, 10_000), { value: 0, batches: 0 });
});
