// How long a request waits for its turn, or for memory: until its time is over, or its peer has left. Whatever it waits for hears of it by
// the signal, and keeps nothing of it.

import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { Clock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';

/** Of a connection; it has 8 requests in flight at most. */
const LISTENERS_MAX = 32;

export interface RequestWaitOptions {
  readonly clock: Clock;
  readonly waitMs: number;
  /** What is told to who waited too long. */
  readonly tooBusy: () => Error;
}

/** `signal` aborts with `tooBusy` or request_malformed, until it is disposed of. */
export interface RequestWait extends Disposable {
  readonly signal: AbortSignal;
}

/** @param request null: nothing tells when it is given up */
export function requestWait(
  request: IncomingMessage | null,
  { clock, waitMs, tooBusy }: RequestWaitOptions,
): RequestWait {
  const over = new AbortController();
  const timer = clock.timer(waitMs, () => over.abort(tooBusy()));
  const leave = (): void => over.abort(closed());
  const peer = request && peerOf(request);
  if (peer?.destroyed === true) leave();
  // Several requests of a connection may wait, each for itself.
  peer?.setMaxListeners(LISTENERS_MAX);
  peer?.once('close', leave);
  return {
    signal: over.signal,
    [Symbol.dispose]: () => {
      timer[Symbol.dispose]();
      peer?.off('close', leave);
    },
  };
}

/** A request whose body was read to its end is closed by that: then the connection tells. */
function peerOf(request: IncomingMessage): Readable {
  return request.readableEnded ? request.socket : request;
}

export function closed(): SluiceError {
  return new SluiceError('request_malformed', 'Cannot read the body: the connection was closed');
}
