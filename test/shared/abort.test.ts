// Waiting that ends where a signal is aborted.

import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { unlessAborted } from '#shared/abort.ts';

test('what comes first counts, and the signal is let go of', async () => {
  const never = new Promise<number>(() => undefined);
  const broken = new Error('broken');
  const over = new AbortController();
  assert.equal(await unlessAborted(Promise.resolve(7), over.signal), 7);
  await assert.rejects(unlessAborted(Promise.reject(broken), over.signal), broken);
  assert.equal(getEventListeners(over.signal, 'abort').length, 0);
  const late = Promise.withResolvers<number>();
  const waits = [unlessAborted(never, over.signal), unlessAborted(late.promise, over.signal)];
  const ends = Promise.all(waits.map((wait) => assert.rejects(wait, /gone/)));
  over.abort(new Error('gone'));
  await ends;
  // Nobody waits for it, so it must not be a rejection that nobody handled.
  late.reject(broken);
  await assert.rejects(unlessAborted(never, over.signal), /gone/);
  assert.equal(getEventListeners(over.signal, 'abort').length, 0);
});
