// The GELF input: UDP and TCP on one port. GELF has no acks; see syslog-input.ts for what that means.

import { parseListenAddress, printAddress } from '#shared/net/listen-address.ts';
import { startDatagramServer } from '../unacked/datagram-server.ts';
import { GelfDatagrams } from './gelf-datagrams.ts';
import { GelfDecoder } from './gelf-stream-decoder.ts';
import { LargeMessages } from '../convert/large-messages.ts';
import { startStreamServer } from '../unacked/stream-server.ts';
import { GELF_TURN_BYTES } from '../turns/turn-bytes.ts';
import { Unacked } from '../unacked/unacked-retry.ts';
import type { UnackedInput, UnackedInputOptions } from '../unacked/unacked-input.ts';

export interface GelfInputOptions extends UnackedInputOptions {
  /** host:port, :port or unix:/path (a stream). */
  readonly listen: string;
}

/** Rejects with config_invalid or listen_failed. */
export async function startGelfInput(options: GelfInputOptions): Promise<UnackedInput> {
  const unacked = new Unacked(options);
  const input = { ...options, input: 'gelf' as const, unacked, turnBytesMax: GELF_TURN_BYTES };
  await using starting = new AsyncDisposableStack();
  const large = starting.use(new LargeMessages(options));
  const newDecoder = () => new GelfDecoder(options.messageBytesMax, large);
  starting.defer(() => unacked.close());
  // At once: each takes the time that it has.
  const ends: (() => Promise<void>)[] = [];
  starting.defer(async () => void (await Promise.all(ends.map((end) => end()))));
  const server = await startStreamServer(parseListenAddress(options.listen), { ...input, newDecoder, tls: null });
  ends.push(() => server.close());
  const { address } = server;
  if (address.kind === 'tcp' && (options.datagrams ?? true)) {
    const datagrams = new GelfDatagrams({ ...input, large });
    const take = (datagram: Buffer, sender: string) => datagrams.take(datagram, sender);
    const socket = await startDatagramServer(address, { ...input, take });
    ends.push(async () => {
      await socket[Symbol.asyncDispose]();
      await datagrams[Symbol.asyncDispose]();
    });
  }
  starting.defer(() => large.hurry());
  const started = starting.move();
  return { addresses: [printAddress(address)], close: () => started.disposeAsync() };
}
