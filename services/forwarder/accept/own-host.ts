// What to call the host of a sender that does not name its own.

/** `sender`: of `peerAddress`. Empty for this machine: its address says nothing. */
export function hostOf(sender: string): string {
  return sender === 'unix' || sender === '::1' || sender.startsWith('127.') ? '' : sender;
}
