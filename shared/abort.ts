// From a signal, or a time limit, to a promise: waiting that is over when the signal is aborted. What is given up so
// keeps nothing of who waited, and the signal keeps nothing of what is over.

import type { Clock } from './clock.ts';

/**
 * Asks for something that is granted later. Returns how to take the question back, which is called at most once, and
 * only before `grant` was.
 */
type Ask<T> = (grant: (value: T) => void) => () => void;

/** Why it was aborted, as an error. */
export function abortError({ reason }: AbortSignal): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}

/** Resolves when the signal is aborted. The signal keeps who waits until then. */
export function whenAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/**
 * As `promise`; rejects with the signal's reason where that comes first. For what cannot be told that nobody waits for
 * it any more.
 */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: first, resolve, reject } = Promise.withResolvers<T>();
  const leave = (): void => reject(abortError(signal));
  promise.then(resolve, reject);
  if (signal.aborted) leave();
  else signal.addEventListener('abort', leave, { once: true });
  return first.finally(() => signal.removeEventListener('abort', leave));
}

/** Resolves when `ending` is over, whatever comes of it, or after the time limit: for what may never end. */
export async function endedWithin(ending: Promise<unknown>, clock: Clock, limitMs: number): Promise<void> {
  const over = Promise.withResolvers<void>();
  using _limit = clock.timer(limitMs, over.resolve);
  ending.then(() => over.resolve(), over.resolve);
  await over.promise;
}

/** What is granted. Where the signal is aborted first, the question is taken back, and it rejects with the reason. */
export function granted<T>(ask: Ask<T>, signal?: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => askUntilAborted(ask, signal, { granted: resolve, aborted: reject }));
}

/** The same for who looks at the signal itself: it resolves in either case. */
export function grantedOrAborted(ask: Ask<void>, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => askUntilAborted(ask, signal, { granted: resolve, aborted: () => resolve() }));
}

interface Ends<T> {
  readonly granted: (value: T) => void;
  readonly aborted: (error: Error) => void;
}

function askUntilAborted<T>(ask: Ask<T>, signal: AbortSignal | undefined, ends: Ends<T>): void {
  if (!signal) {
    ask(ends.granted);
    return;
  }
  if (signal.aborted) {
    ends.aborted(abortError(signal));
    return;
  }
  let isGranted = false;
  const takeBack = ask((value) => {
    isGranted = true;
    signal.removeEventListener('abort', leave);
    ends.granted(value);
  });
  function leave(): void {
    takeBack();
    ends.aborted(abortError(signal as AbortSignal));
  }
  if (!isGranted) signal.addEventListener('abort', leave, { once: true });
}
