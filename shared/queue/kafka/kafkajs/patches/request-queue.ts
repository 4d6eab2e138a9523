// Two patches of the queue of requests that each connection has: a timer that has nothing to do, and the time that the
// first request on a connection may take.

import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';
import { patch } from './patch.ts';

const AT = 'src/network/requestQueue/index.js: RequestQueue';
export const API_VERSIONS = 'ApiVersions';

/**
 * Symptom: Node warns of a negative timeout (TimeoutNegativeWarning), and an idle connection wakes up each millisecond.
 * After each answer the original schedules a look at the waiting requests at `throttledUntil - now`, also when none
 * waits and nothing throttles: `throttledUntil` is then -1. With nothing to look at there is nothing to schedule.
 * Upstream: https://github.com/tulios/kafkajs/issues/1751 and https://github.com/tulios/kafkajs/issues/1704, open.
 */
export function patchIdleTimer(): void {
  const owner = RequestQueue.prototype;
  patch({ at: AT, owner, name: 'scheduleCheckPendingRequests', parameters: 0 }, (original) => {
    return function scheduleCheckPendingRequests(this: RequestQueue): void {
      if (this.pending.length > 0 || this.throttledUntil > Date.now()) original.call(this);
    };
  });
}

/**
 * Symptom: a broker that is frozen, but whose kernel takes connections, holds up the start for `requestTimeout` before
 * the next one is tried. The first request has a limit of its own, like connecting; the original takes the larger one.
 * Upstream: https://github.com/tulios/kafkajs/issues/368, closed by a limit that a larger `requestTimeout` overrides.
 */
export function patchFirstRequest(): void {
  const owner = RequestQueue.prototype;
  patch({ at: AT, owner, name: 'createSocketRequest', parameters: 1 }, (original) => {
    return function limitedRequest(this: RequestQueue, pushed) {
      const request = original.call(this, pushed);
      if (pushed.entry.apiName === API_VERSIONS && pushed.requestTimeout !== null) {
        request.requestTimeout = pushed.requestTimeout;
      }
      return request;
    };
  });
}
