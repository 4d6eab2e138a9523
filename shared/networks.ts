// Networks as settings name them, and the question whether an address lies in one.
//
//   10.0.0.0/8   192.0.2.7 (that address alone)   2001:db8::/32
//
// An IPv4 address that came through an IPv6 socket (::ffff:10.1.2.3) counts as what it is.

import { BlockList, isIP } from 'node:net';

export interface Network {
  readonly text: string;
  readonly address: string;
  readonly family: 'ipv4' | 'ipv6';
  readonly prefixBits: number;
}

/** Null where the text is no network. */
export function parseNetwork(text: string): Network | null {
  const [, address = '', bits] = /^([^/]+?)(?:\/(\d{1,3}))?$/.exec(text.trim()) ?? [];
  const version = isIP(address);
  if (version === 0 || address.includes('%')) return null;
  const bitsMax = version === 4 ? 32 : 128;
  const prefixBits = bits === undefined ? bitsMax : Number(bits);
  return prefixBits > bitsMax ? null : { text, address, family: version === 4 ? 'ipv4' : 'ipv6', prefixBits };
}

/** What a socket calls its peer, an IPv4 address in its own form; "unix" where it has none. */
export function peerAddress(remoteAddress: string | undefined): string {
  if (!remoteAddress) return 'unix';
  return remoteAddress.startsWith('::ffff:') ? remoteAddress.slice('::ffff:'.length) : remoteAddress;
}

export class NetworkSet {
  readonly #list = new BlockList();

  constructor(networks: readonly Network[]) {
    for (const { address, prefixBits, family } of networks) this.#list.addSubnet(address, prefixBits, family);
  }

  /** Whether the address, of `peerAddress`, lies in one of the networks; "unix" lies in none. */
  has(address: string): boolean {
    const version = isIP(address);
    return version !== 0 && this.#list.check(address, version === 4 ? 'ipv4' : 'ipv6');
  }
}
