// A share that takes long to cut holds up nobody: the event loop has its turns, other tenants go on, and the order of
// each stays.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cutter } from '#forwarder/gather/cutter.ts';
import { Settlement, type Share } from '#forwarder/gather/share.ts';

const RECORD_BYTES = 512 * 1024;
const MIB = 1024 * 1024;

/** [1, {"": […]}] with an array of so many one-byte integers. */
function entryOf(values: number): Buffer {
  const entry = Buffer.alloc(9 + values, 1);
  Buffer.from('920181a0dd', 'hex').copy(entry);
  entry.writeUInt32BE(values, 5);
  return entry;
}

function shareOf(tenant: string | null, seq: number, values: readonly number[], sender = 's'): Share {
  const id = Buffer.alloc(16);
  const origin = { tag: 't', input: 'forward', tenant, receivedMs: 1, sender, version: 2, chain: null } as const;
  const batch = { ...origin, id, first: 0, count: values.length, seq };
  const bytes = Buffer.concat(values.map(entryOf));
  return { batch, encoding: 'identity', bytes, settlement: new Settlement().expect() };
}

test('large ones are cut in turns with other work; within a tenant the order stays, and others go ahead', async () => {
  const out: string[] = [];
  const settlements = new Set<Settlement>();
  const cutter = new Cutter(RECORD_BYTES, (shares) => {
    for (const { batch, settlement } of shares) {
      out.push(`${batch.tenant}${batch.seq}.${batch.first}`);
      settlements.add(settlement);
    }
  });
  const shares = [
    shareOf('a', 1, [20 * MIB, 1, 20 * MIB]),
    shareOf('a', 2, [1]),
    shareOf('b', 1, [1]),
    shareOf('a', 3, [20 * MIB, 20 * MIB]),
    shareOf('b', 2, [20 * MIB, 2]),
    shareOf('b', 3, [1]),
    shareOf('a', 4, [1]),
  ];
  for (const share of shares) cutter.add(share);
  assert.deepEqual(out, ['b1.0']);
  assert(cutter.isBusy);
  let turns = 0;
  for (; cutter.isBusy; turns++) await new Promise(setImmediate);
  await cutter.idle();
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
  assert(!cutter.isBusy);
  assert.equal(settlements.size, shares.length);
});

test('whoever has large ones to be cut holds up no other sender, where nobody has a tenant', async () => {
  const out: string[] = [];
  const cutter = new Cutter(RECORD_BYTES, (shares) => {
    for (const { batch } of shares) out.push(`${batch.sender}${batch.seq}.${batch.first}`);
  });
  for (let seq = 1; seq <= 3; seq += 1) cutter.add(shareOf(null, seq, [2 * MIB, 2 * MIB], 'large'));
  cutter.add(shareOf(null, 4, [1], 'other'));
  cutter.add(shareOf(null, 5, [1], 'large'));
  assert.deepEqual(out, ['other4.0']);
  await cutter.idle();
  const large = ['large1.0', 'large1.1', 'large2.0', 'large2.1', 'large3.0', 'large3.1', 'large5.0'];
  assert.deepEqual(out, ['other4.0', ...large]);
});

test('one that is added in the moment in which another is done is not forgotten', async () => {
  const out: number[] = [];
  const cutter: Cutter = new Cutter(RECORD_BYTES, ([share]) => {
    assert(share);
    const { seq } = share.batch;
    out.push(seq);
    if (seq === 1) cutter.add(shareOf('a', 2, [MIB, MIB]));
    if (seq === 2) cutter.add(shareOf('a', 3, [1]));
  });
  cutter.add(shareOf('a', 1, [MIB, MIB]));
  await cutter.idle();
  assert.deepEqual(out, [1, 2, 3]);
});
