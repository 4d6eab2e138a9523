// What to call the host of a sender that does not name its own.

import { UNIX_PEER } from '#shared/net/networks.ts';

/** `sender`: of `peerAddress`. Empty for this machine: its address says nothing. */
export function hostOf(sender: string): string {
  return sender === UNIX_PEER || sender === '::1' || sender.startsWith('127.') ? '' : sender;
}
