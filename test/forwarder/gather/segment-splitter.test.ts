// A segment that takes long to split holds up nobody: the event loop has its turns, other tenants go on, and each keeps
// its order.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SegmentSplitter } from '#forwarder/gather/segment-splitter.ts';
import type { RecordSegment } from '#forwarder/gather/record-segment.ts';
import { Settlement } from '#forwarder/gather/settlement.ts';

const RECORD_BYTES = 512 * 1024;
const MIB = 1024 * 1024;

/** [1, {"": […]}] with an array of so many one-byte integers. */
function entryOf(values: number): Buffer {
  const entry = Buffer.alloc(9 + values, 1);
  Buffer.from('920181a0dd', 'hex').copy(entry);
  entry.writeUInt32BE(values, 5);
  return entry;
}

function segmentOf(tenant: string | null, seq: number, values: readonly number[], sender = 's'): RecordSegment {
  const id = Buffer.alloc(16);
  const origin = { tag: 't', input: 'forward', tenant, receivedMs: 1, sender, version: 2, chain: null } as const;
  const batch = { ...origin, id, first: 0, count: values.length, seq };
  const bytes = Buffer.concat(values.map(entryOf));
  return { batch, encoding: 'identity', bytes, settlement: new Settlement().expect() };
}

test('large ones are split in turns with other work; a tenant keeps its order, and others go ahead', async () => {
  const out: string[] = [];
  const settlements = new Set<Settlement>();
  const splitter = new SegmentSplitter(RECORD_BYTES, (segments) => {
    for (const { batch, settlement } of segments) {
      out.push(`${batch.tenant}${batch.seq}.${batch.first}`);
      settlements.add(settlement);
    }
  });
  const segments = [
    segmentOf('a', 1, [20 * MIB, 1, 20 * MIB]),
    segmentOf('a', 2, [1]),
    segmentOf('b', 1, [1]),
    segmentOf('a', 3, [20 * MIB, 20 * MIB]),
    segmentOf('b', 2, [20 * MIB, 2]),
    segmentOf('b', 3, [1]),
    segmentOf('a', 4, [1]),
  ];
  for (const segment of segments) splitter.add(segment);
  assert.deepEqual(out, ['b1.0']);
  assert(splitter.isBusy);
  let turns = 0;
  for (; splitter.isBusy; turns++) await new Promise(setImmediate);
  await splitter.idle();
  assert.deepEqual(
    out.filter((name) => name.startsWith('a')),
    ['a1.0', 'a1.1', 'a1.2', 'a2.0', 'a3.0', 'a3.1', 'a4.0'],
  );
  assert.deepEqual(
    out.filter((name) => name.startsWith('b')),
    ['b1.0', 'b2.0', 'b2.1', 'b3.0'],
  );
  // 100 MiB in windows of half a MiB.
  assert(turns >= 190, `${turns} turns`);
  assert(!splitter.isBusy);
  assert.equal(settlements.size, segments.length);
});

test('whoever has large ones to be split holds up no other sender, where nobody has a tenant', async () => {
  const out: string[] = [];
  const splitter = new SegmentSplitter(RECORD_BYTES, (segments) => {
    for (const { batch } of segments) out.push(`${batch.sender}${batch.seq}.${batch.first}`);
  });
  for (let seq = 1; seq <= 3; seq += 1) splitter.add(segmentOf(null, seq, [2 * MIB, 2 * MIB], 'large'));
  splitter.add(segmentOf(null, 4, [1], 'other'));
  splitter.add(segmentOf(null, 5, [1], 'large'));
  assert.deepEqual(out, ['other4.0']);
  await splitter.idle();
  const large = ['large1.0', 'large1.1', 'large2.0', 'large2.1', 'large3.0', 'large3.1', 'large5.0'];
  assert.deepEqual(out, ['other4.0', ...large]);
});

test('one that is added in the moment in which another is done is not forgotten', async () => {
  const out: number[] = [];
  const splitter: SegmentSplitter = new SegmentSplitter(RECORD_BYTES, ([segment]) => {
    assert(segment);
    const { seq } = segment.batch;
    out.push(seq);
    if (seq === 1) splitter.add(segmentOf('a', 2, [MIB, MIB]));
    if (seq === 2) splitter.add(segmentOf('a', 3, [1]));
  });
  splitter.add(segmentOf('a', 1, [MIB, MIB]));
  await splitter.idle();
  assert.deepEqual(out, [1, 2, 3]);
});
