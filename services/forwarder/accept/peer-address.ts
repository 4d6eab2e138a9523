// Who sends, as batches, partitions and documents tell it: the peer's address without its port, which changes with each connection.

/** IPv4 in its own form; "unix" where there is no address. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined || address === '') return UNIX;
  return address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
}

/** The host to name for a sender that does not name its own; empty for this machine. */
export function hostOf(sender: string): string {
  return sender === UNIX || sender === '::1' || sender.startsWith('127.') ? '' : sender;
}

const UNIX = 'unix';
