// Body readers and requests for the tests: a reader has room for everything but what a test limits.

import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { BodyReader, type BodyReaderOptions } from '#forwarder/accept/body/body-reader.ts';
import { ByteBudget } from '#shared/byte-budget.ts';
import { systemClock } from '#shared/clock.ts';

export const KIB = 1024;
export const MIB = KIB * KIB;

/** Without more ado: bodies of a KiB, of which one is held, and nothing compressed. */
export function bodyReader(limits: Partial<BodyReaderOptions> = {}): BodyReader {
  return new BodyReader({
    intake: { hasRoom: true, room: () => Promise.resolve() },
    clock: systemClock,
    bodyBytesMax: KIB,
    heldBytesMax: KIB,
    smallReserveBytes: 0,
    large: new ByteBudget(1),
    waitMs: 5000,
    timeoutMs: 60_000,
    ...limits,
  });
}

/** A request whose body is pushed to it. `announced`: its Content-Length. */
export function newRequest(announced?: number): IncomingMessage {
  const request = new IncomingMessage(new Socket());
  if (announced !== undefined) request.headers['content-length'] = String(announced);
  return request;
}
