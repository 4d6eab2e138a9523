// The GELF input: UDP and TCP on one port. GELF has no acks: what syslog-input.ts says of them holds here too.

import type { Clock } from '#shared/clock.ts';
import { parseListenAddress, printAddress } from '#shared/net/listen-address.ts';
import type { AddressRate } from '../../admit/address-rates.ts';
import type { Admit } from '../../admit/admission.ts';
import type { Door } from '../../admit/door.ts';
import type { Intake, Room } from '../../intake/chunk.ts';
import type { ForwarderTelemetry } from '../../intake/telemetry.ts';
import { startDatagramServer } from '../unacked/datagram-server.ts';
import { GelfDatagrams } from './gelf-datagrams.ts';
import { GelfDecoder } from './gelf-decoder.ts';
import { LargeMessages } from '../convert/large-messages.ts';
import { startStreamServer } from '../unacked/stream-server.ts';
import type { UnackedInput } from '../syslog/syslog-input.ts';
import { GELF_TURN_BYTES } from '../turns/turn-bytes.ts';
import { Unacked } from '../unacked/unacked.ts';

export interface GelfInputOptions {
  /** host:port, :port or unix:/path (a stream). */
  readonly listen: string;
  readonly tag: string;
  readonly messageBytesMax: number;
  readonly receiveBufferBytes: number;
  /** What an address may bring by UDP; null: any number. */
  readonly datagramRates: { of(address: string): AddressRate | null } | null;
  /** Whether to listen for UDP too; absent: yes. */
  readonly datagrams?: boolean;
  readonly door: Door;
  readonly admit: Admit;
  readonly intake: Intake;
  readonly room?: Room;
  readonly telemetry: ForwarderTelemetry;
  readonly clock: Clock;
}

/** Rejects with config_invalid or listen_failed. */
export async function startGelfInput(options: GelfInputOptions): Promise<UnackedInput> {
  const unacked = new Unacked(options);
  const input = { ...options, input: 'gelf' as const, unacked, turnBytesMax: GELF_TURN_BYTES };
  await using starting = new AsyncDisposableStack();
  const large = starting.use(new LargeMessages(options));
  const newDecoder = () => new GelfDecoder(options.messageBytesMax, large);
  starting.defer(() => unacked.close());
  const server = await startStreamServer(parseListenAddress(options.listen), { ...input, newDecoder, tls: null });
  starting.defer(() => server.close());
  const { address } = server;
  if (address.kind === 'tcp' && (options.datagrams ?? true)) {
    const datagrams = starting.use(new GelfDatagrams({ ...input, large }));
    const take = (datagram: Buffer, sender: string) => datagrams.take(datagram, sender);
    starting.use(await startDatagramServer(address, { ...input, take }));
  }
  starting.defer(() => large.hurry());
  const started = starting.move();
  return { addresses: [printAddress(address)], close: () => started.disposeAsync() };
}
