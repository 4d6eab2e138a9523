// Ends a connection whose peer may still send: what it sends is read and forgotten, for unread input would turn the end
// into a reset, which can take the last answers with it.

import type { Socket } from 'node:net';
import type { Clock } from '#shared/clock.ts';

/** How long a peer that keeps its side open may take to read its last answers when we stop. */
const LINGER_MS = 1000;

/** Our side is ended already. */
export function linger(socket: Socket, clock: Clock): void {
  socket
    .removeAllListeners('data')
    .on('data', () => undefined)
    .resume();
  clock.timer(LINGER_MS, () => socket.destroy());
}
