import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Waiters } from '#shared/waiters.ts';

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

test('of a crowd the first go on at once, and others in later turns while there is something for them', async () => {
  const waiters = new Waiters();
  const woken: number[] = [];
  const waits = Array.from({ length: 100 }, (_, i) => waiters.wait().then(() => woken.push(i)));
  let mayGoOn = true;
  const wake = (): void => {
    if (mayGoOn) waiters.wakeSome(wake);
  };
  wake();
  // A second one in the same turn wakes nobody more.
  wake();
  assert.equal(waiters.count, 68);
  await new Promise(setImmediate);
  assert.equal(waiters.count, 36);
  mayGoOn = false;
  for (let turns = 0; turns < 5; turns++) await new Promise(setImmediate);
  assert.equal(waiters.count, 36);
  mayGoOn = true;
  wake();
  await Promise.all(waits);
  assert.deepEqual(
    woken,
    Array.from({ length: 100 }, (_, i) => i),
  );
});
