// A sender for `npm run dev`: a few lines a second by the Forward protocol, each acknowledged, over connections that
// come again.

import { setTimeout as delay } from 'node:timers/promises';
import { ForwardClient } from '#test/clients/forward-client.ts';
import { lineAt } from './lines.ts';

/** While so many lines have no ack, none is added. */
const UNACKED_MAX = 1000;
const NS_PER_MS = 1_000_000n;

interface SenderOptions {
  /** On 127.0.0.1. */
  readonly port: number;
  readonly linesPerSecond: number;
  readonly signal: AbortSignal;
}

/** Sends until `signal` is aborted. */
export async function sendLines({ port, linesPerSecond, signal }: SenderOptions): Promise<void> {
  await using client = new ForwardClient(port);
  for (let n = 0; !signal.aborted; n++) {
    const { tag, record } = lineAt(n, Date.now(), Math.random);
    if (client.unacked < UNACKED_MAX) {
      void client.send(tag, [{ record, timeNs: BigInt(Date.now()) * NS_PER_MS }], 'message');
    }
    await delay(1000 / linesPerSecond, undefined, { signal }).catch(() => undefined);
  }
}
