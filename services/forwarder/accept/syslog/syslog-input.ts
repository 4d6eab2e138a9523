// The syslog input: UDP and TCP on one port, or a unix socket, and TLS on another.
//
// Syslog has no acks. Over TCP, Sluice retries what it has read until it is stored (unacked-retry.ts), and stops
// reading when there is no room. What was on its way when a connection broke, or when this process was killed, is lost.
// Over UDP, whatever finds no room is lost, and counted.
//
//   udp        unacked/datagram-server → syslog-datagrams → unacked/sender-runs ┐
//   tcp, tls   unacked/stream-server → stream-session → syslog-stream-decoder   ┴→ unacked/unacked-retry
//
// → intake/intake, and from there as every chunk: gather/partition-lane → the queue.

import { randomBytes } from 'node:crypto';
import { parseListenAddress, printAddress } from '#shared/net/listen-address.ts';
import type { TlsContext } from '../../admit/tls.ts';
import { TimeZone } from '../../decode/syslog/time-zone.ts';
import { startDatagramServer } from '../unacked/datagram-server.ts';
import { type StreamServer, startStreamServer } from '../unacked/stream-server.ts';
import { SyslogDatagrams } from './syslog-datagrams.ts';
import { SyslogDecoder } from './syslog-stream-decoder.ts';
import { SYSLOG_TURN_BYTES } from '../turns/turn-bytes.ts';
import { Unacked } from '../unacked/unacked-retry.ts';
import type { UnackedInput, UnackedInputOptions } from '../unacked/unacked-input.ts';

export interface SyslogInputOptions extends UnackedInputOptions {
  /** host:port, :port or unix:/path; undefined: none. */
  readonly listen: string | undefined;
  readonly tlsListen: string | undefined;
  /** Needed with `tlsListen`. */
  readonly tls: TlsContext | null;
  /** Of times without one. */
  readonly timeZone: string;
}

/** Rejects with config_invalid or listen_failed. */
export async function startSyslogInput(options: SyslogInputOptions): Promise<UnackedInput> {
  const { listen, tlsListen, tls, messageBytesMax, clock, datagrams: takesDatagrams = true } = options;
  const zone = new TimeZone(options.timeZone);
  const unacked = new Unacked(options);
  const newPartId = partIds();
  const input = { ...options, input: 'syslog' as const, unacked, turnBytesMax: SYSLOG_TURN_BYTES };
  const newDecoder = (sender: string) => new SyslogDecoder({ sender, messageBytesMax, zone, clock, newPartId });
  await using starting = new AsyncDisposableStack();
  starting.defer(() => unacked.close());
  const servers: StreamServer[] = [];
  starting.defer(async () => void (await Promise.all(servers.map((server) => server.close()))));
  const stream = async (address: string, streamTls: TlsContext | null): Promise<StreamServer> => {
    const server = await startStreamServer(parseListenAddress(address), { ...input, newDecoder, tls: streamTls });
    servers.push(server);
    return server;
  };
  if (tlsListen !== undefined) await stream(tlsListen, tls);
  if (listen !== undefined) {
    const { address } = await stream(listen, null);
    if (address.kind === 'tcp' && takesDatagrams) {
      const datagrams = starting.use(new SyslogDatagrams({ ...input, zone }));
      const take = (datagram: Buffer, sender: string) => datagrams.take(datagram, sender);
      starting.use(await startDatagramServer(address, { ...input, take }));
    }
  }
  const started = starting.move();
  return {
    addresses: servers.map(({ address }) => printAddress(address)),
    close: () => started.disposeAsync(),
  };
}

/** Names that no other run of ours gives either. */
function partIds(): () => string {
  const ours = randomBytes(8).toString('hex');
  let count = 0;
  return () => `${ours}-${(count += 1)}`;
}
