import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TenantRooms } from '#forwarder/intake/tenant-rooms.ts';
import { Waiters } from '#forwarder/intake/waiters.ts';
import { VirtualClock } from '#test/memory/clock.ts';

test('all that wait are woken at once; whoever goes away leaves nothing', async () => {
  const waiters = new Waiters();
  const gone = new AbortController();
  const woken: string[] = [];
  const waits = [waiters.wait().then(() => woken.push('a')), waiters.wait(gone.signal).then(() => woken.push('b'))];
  gone.abort();
  assert.equal(waiters.count, 1);
  await waits[1];
  assert.deepEqual(woken, ['b']);
  waiters.wake();
  await Promise.all(waits);
  assert.deepEqual([woken, waiters.count], [['b', 'a'], 0]);
  await waiters.wait(gone.signal);
  assert.equal(waiters.count, 0);
});

test('nobody waits for room on behalf of who is gone, and the others do', async () => {
  const rooms = new TenantRooms({ bytesMax: 100, clock: new VirtualClock(), tenants: [], throttled() {} });
  const room = rooms.of(null, 'forward');
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
