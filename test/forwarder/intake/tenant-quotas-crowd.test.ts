// A crowd that waits for room: who is gone waits no more, and what one chunk leaves wakes few.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TenantQuotas } from '#forwarder/intake/tenant-quotas.ts';
import type { Tenant } from '#shared/config/tenants.ts';
import { tenantOf } from '#test/forwarder/admit/tenant-of.ts';
import { VirtualClock } from '#test/memory/clock.ts';

test('nobody waits for room on behalf of who is gone, and the others do', async () => {
  const quotas = new TenantQuotas({ bytesMax: 100, clock: new VirtualClock(), tenants: [], throttled() {} });
  const room = quotas.of(null, 'forward');
  const permit = room.take(100, 1, 100);
  const gone = new AbortController();
  const [left, stays] = [room.room(gone.signal), room.room()];
  gone.abort();
  await left;
  assert.equal(room.hasRoom, false);
  permit[Symbol.dispose]();
  await stays;
  assert.equal(room.hasRoom, true);
});

const TENANTS: readonly Tenant[] = [tenantOf('a')];

for (const tenants of [0, 1]) {
  test(`what one chunk leaves wakes few of a crowd; in the end all had room (${tenants} tenants)`, async () => {
    const clock = new VirtualClock();
    const quotas = new TenantQuotas({ bytesMax: 1000, clock, tenants: TENANTS.slice(0, tenants), throttled() {} });
    const room = quotas.of(null, 'forward');
    const held: Disposable[] = [];
    while (room.hasRoom) held.push(room.take(10, 1, 10));
    let [tries, taken] = [0, 0];
    const waiting = Array.from({ length: 1000 }, async () => {
      for (;;) {
        await room.room();
        tries += 1;
        if (!room.hasRoom) continue;
        held.push(room.take(10, 1, 10));
        taken += 1;
        return;
      }
    });
    for (let turns = 0; turns < 5; turns++) await new Promise(setImmediate);
    assert.equal(tries, 0);
    held.pop()?.[Symbol.dispose]();
    for (let turns = 0; turns < 5; turns++) await new Promise(setImmediate);
    assert.equal(taken, 1);
    assert(tries <= 64, `${tries} were woken for the room of one`);
    for (let released = 1; released < 1000; released += 1) {
      held.shift()?.[Symbol.dispose]();
      await new Promise(setImmediate);
    }
    await Promise.all(waiting);
    assert.equal(taken, 1000);
  });
}
