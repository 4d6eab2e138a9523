// Waiting that ends early: for what cannot be told that nobody waits for it any more.

/**
 * As `promise`; rejects with the signal's reason where that comes first. What is given up so keeps nothing of who
 * waited.
 */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: first, resolve, reject } = Promise.withResolvers<T>();
  const leave = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason)));
  promise.then(resolve, reject);
  if (signal.aborted) leave();
  else signal.addEventListener('abort', leave, { once: true });
  return first.finally(() => signal.removeEventListener('abort', leave));
}
