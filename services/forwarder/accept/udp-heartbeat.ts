// The UDP side of the Forward protocol: whatever datagram comes is a heartbeat, and is answered by one zero byte, if its sender may
// connect at all, and not too often.

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import { type TcpAddress, datagramOptions } from '#shared/listen-address.ts';
import { plainAddress } from '#shared/networks.ts';

const ALIVE = Buffer.of(0);

/** Rejects with the socket's error if the address can't be bound. */
export async function startUdpHeartbeat(
  address: TcpAddress,
  answers: (address: string, bytes: number) => boolean,
): Promise<AsyncDisposable> {
  const socket: Socket = createSocket(isIPv6(address.host) ? 'udp6' : 'udp4');
  socket.on('message', (datagram, peer) => {
    if (!answers(plainAddress(peer.address), datagram.length)) return;
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
