// A UDP socket that datagrams of senders come to. UDP knows no backpressure: what finds no room is lost. So the
// kernel's buffer is as large as it lets us have, its drops are counted, and our own, logged once a second at most.

import { type Socket, createSocket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import type { Clock } from '#shared/clock.ts';
import { type TcpAddress, datagramOptions, listenFailure } from '#shared/net/listen-address.ts';
import { plainAddress } from '#shared/net/networks.ts';
import type { InputName } from '../../intake/chunk.ts';
import type { ForwarderTelemetry } from '../../intake/telemetry.ts';
import { watchUdpDrops } from './udp-drops.ts';

export interface DatagramServerOptions {
  readonly input: InputName;
  /** Asked of the kernel, which may give less. */
  readonly receiveBufferBytes: number;
  /** Keeps the datagram as long as it likes. */
  readonly take: (datagram: Buffer, sender: string) => void;
  readonly telemetry: ForwarderTelemetry;
  readonly clock: Clock;
}

/** Rejects with listen_failed. Its end: what lies in the kernel's buffer is not read any more. */
export async function startDatagramServer(
  address: TcpAddress,
  { input, receiveBufferBytes, take, telemetry, clock }: DatagramServerOptions,
): Promise<AsyncDisposable> {
  const { host, port } = address;
  const socket: Socket = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4' });
  socket.on('message', (datagram, peer) => {
    if (datagram.length > 0) take(datagram, plainAddress(peer.address));
  });
  try {
    // An inherited socket listens before `bind` returns.
    const listening = once(socket, 'listening');
    socket.bind(datagramOptions(address));
    await listening;
  } catch (error) {
    socket.close();
    throw listenFailure(address, error);
  }
  socket.on('error', () => undefined);
  socket.setRecvBufferSize(receiveBufferBytes);
  // Linux tells twice what it was asked for.
  const givenBytes = socket.getRecvBufferSize() / (process.platform === 'linux' ? 2 : 1);
  if (givenBytes < receiveBufferBytes) telemetry.receiveBufferSmall(input, givenBytes, receiveBufferBytes);
  const drops = watchUdpDrops({
    host,
    port,
    clock,
    dropped: (datagrams) => telemetry.udpReceiveDrops(input, datagrams),
  });
  return {
    async [Symbol.asyncDispose]() {
      await drops[Symbol.asyncDispose]();
      const closed = once(socket, 'close');
      socket.close();
      await closed;
    },
  };
}
