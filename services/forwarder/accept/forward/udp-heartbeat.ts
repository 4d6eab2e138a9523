// The UDP side of the Forward protocol: whatever datagram comes is a heartbeat, and is answered by one zero byte, if
// its sender may connect at all, and not too often.
//
// An answer looks like a heartbeat, and a source address can be forged: two servers would answer each other for ever.
// So what comes from our own port, or from the port of a service, is not answered. All addresses together, also those
// without a rate of their own, get at most ANSWERS_PER_SECOND. Senders lose nothing: they use a port that the system
// gives them (Fluentd's out_forward binds none).

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import type { Clock } from '#shared/clock.ts';
import { type TcpAddress, datagramOptions } from '#shared/net/listen-address.ts';
import { plainAddress } from '#shared/net/networks.ts';
import { TokenBucket } from '../../intake/token-bucket.ts';

const ALIVE = Buffer.of(0);
/** A sender sends one heartbeat a second. After a pause there is a burst of as many. */
const ANSWERS_PER_SECOND = 1000;
/** Below are services, which may answer what we answer. Port 0 can't be answered: the socket would throw. */
const SENDER_PORT_MIN = 1024;

export interface UdpHeartbeatOptions {
  /** Whether the address may be answered now. */
  readonly answers: (address: string, bytes: number) => boolean;
  readonly clock: Clock;
}

/** Rejects with the socket's error if the address can't be bound. */
export async function startUdpHeartbeat(
  address: TcpAddress,
  { answers, clock }: UdpHeartbeatOptions,
): Promise<AsyncDisposable> {
  const socket: Socket = createSocket(isIPv6(address.host) ? 'udp6' : 'udp4');
  const total = new TokenBucket(ANSWERS_PER_SECOND, clock.monotonicMs());
  socket.on('message', (datagram, peer) => {
    if (!answers(plainAddress(peer.address), datagram.length)) return;
    if (!isSenderPort(peer.port, socket.address().port)) return;
    const nowMs = clock.monotonicMs();
    if (!total.has(1, nowMs)) return;
    total.take(1, nowMs);
    // An answer that can't be sent is like one that is lost on the way.
    socket.send(ALIVE, peer.port, peer.address, () => undefined);
  });
  // An inherited socket listens before `bind` returns.
  const listening = once(socket, 'listening');
  socket.bind(datagramOptions(address));
  await listening;
  socket.on('error', () => undefined);
  return {
    async [Symbol.asyncDispose]() {
      const closed = once(socket, 'close');
      socket.close();
      await closed;
    },
  };
}

/** Whether who sends from this port may be a sender, rather than a server that answers. */
export function isSenderPort(port: number, ownPort: number): boolean {
  return port >= SENDER_PORT_MIN && port !== ownPort;
}
