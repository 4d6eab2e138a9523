// How long a request waits for its turn, or for memory: until its time is over, or its peer has left. Whatever it waits
// for hears of it by the signal, and keeps nothing of it.

import type { IncomingMessage } from 'node:http';
import type { Clock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';

/** Of a connection; it has 8 requests in flight at most. */
const LISTENERS_MAX = 32;

export interface RequestWaitOptions {
  readonly clock: Clock;
  readonly waitMs: number;
  /** The answer to a request that has waited too long. */
  readonly tooBusy: () => Error;
}

/** `signal` aborts with `tooBusy`, where there is a limit, or request_malformed, until it is disposed of. */
export interface RequestWait extends Disposable {
  readonly signal: AbortSignal;
}

/**
 * @param request null: nothing tells when it is given up
 * @param limit null: it waits for as long as its peer does
 */
export function requestWait(request: IncomingMessage | null, limit: RequestWaitOptions | null): RequestWait {
  const over = new AbortController();
  const timer = limit?.clock.timer(limit.waitMs, () => over.abort(limit.tooBusy()));
  const leave = (): void => over.abort(closed());
  // The connection tells: a request is closed, too, when its body was read to its end.
  const peer = request?.socket;
  if (request && isGone(request)) leave();
  // Several requests of a connection may wait, each for itself.
  peer?.setMaxListeners(LISTENERS_MAX);
  peer?.once('close', leave);
  return {
    signal: over.signal,
    [Symbol.dispose]: () => {
      timer?.[Symbol.dispose]();
      peer?.off('close', leave);
    },
  };
}

/** Whether nobody waits for the answer of a request any more. */
export function isGone(request: IncomingMessage): boolean {
  return request.socket.destroyed || (request.destroyed && !request.readableEnded);
}

export function closed(): SluiceError {
  return new SluiceError('request_malformed', 'Cannot read the body: the connection was closed');
}
