// The two patches of a connection's queue of requests: what kafkajs does without them, and what it does with them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';
import { patchFirstRequest, patchIdleTimer } from '#shared/queue/kafka/kafkajs/patches/request-queue.ts';

function isScheduled(state: Partial<Pick<RequestQueue, 'pending' | 'throttledUntil'>>): boolean {
  const queue = Object.assign(new RequestQueue({ requestTimeout: 1000 }), state);
  // The original warns that -1 - now is negative.
  queue.scheduleCheckPendingRequests();
  const { throttleCheckTimeoutId } = queue;
  queue.destroy();
  return throttleCheckTimeoutId !== null;
}

test('a queue with nothing to look at sets no timer', () => {
  assert.equal(isScheduled({}), true, 'of itself kafkajs sets one');
  patchIdleTimer();
  assert.equal(isScheduled({}), false);
  assert.equal(isScheduled({ pending: [{}] }), true, 'requests wait');
  assert.equal(isScheduled({ throttledUntil: Date.now() + 60_000 }), true, 'the broker throttles');
});

function timeoutOf(apiName: string, requestTimeout: number | null): number {
  const queue = new RequestQueue({ requestTimeout: 600_000 });
  return queue.createSocketRequest({ entry: { apiName }, requestTimeout }).requestTimeout;
}

test('the first request on a connection has a limit of its own', () => {
  assert.equal(timeoutOf('ApiVersions', 3000), 600_000, 'of itself kafkajs takes the larger one');
  patchFirstRequest();
  assert.equal(timeoutOf('ApiVersions', 3000), 3000);
  assert.equal(timeoutOf('ApiVersions', null), 600_000);
  assert.equal(timeoutOf('Fetch', 5000), 600_000);
  assert.equal(timeoutOf('Fetch', 700_000), 700_000);
});
