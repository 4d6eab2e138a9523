// An append in flight. Its answer is awaited twice: first for a limited time, then for as long as it takes.

import type { Clock } from '#shared/clock.ts';
import { isRetryable, SluiceError } from '#shared/errors.ts';
import type { StoredBy, Queue } from '../queue.ts';

export class SentAppend {
  readonly promise: Promise<StoredBy | void>;
  isSettled = false;

  constructor(promise: Promise<StoredBy | void>) {
    this.promise = promise;
  }

  /** Null when it is stored, the error when it failed, undefined when the time is over. Once only. */
  outcome(clock: Clock, limitMs: number): Promise<unknown> {
    return new Promise((resolve) => {
      const limit = clock.timer(limitMs, () => resolve(undefined));
      const settle = (failure: unknown): void => {
        this.isSettled = true;
        limit[Symbol.dispose]();
        resolve(failure);
      };
      this.promise.then(() => settle(null), settle);
    });
  }
}

/**
 * Whether an error may pass, by itself or when an operator has done something: until then the spool holds what came.
 */
export function mayPass(error: unknown): boolean {
  return isRetryable(error) || (error instanceof SluiceError && error.code === 'queue_unauthorized');
}

export function whyNot(upstream: Queue, sent: SentAppend | null): string {
  return upstream.unreadyReason ?? (sent === null ? 'it was not reached yet' : 'the queue does not answer');
}
