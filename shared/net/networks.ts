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

/** What a peer on a unix socket is called: it has no address, and the permissions of the socket's file guard it. */
export const UNIX_PEER = 'unix';

/**
 * Who is at the other end of an accepted connection; null where nobody is: a connection that was reset before it was
 * accepted has no address either, so a missing address says nothing about the kind of the socket. That is known only by
 * what the server listens on.
 */
export function peerAddress(remoteAddress: string | undefined, listensOn: 'tcp' | 'unix'): string | null {
  if (listensOn === 'unix') return UNIX_PEER;
  return remoteAddress ? plainAddress(remoteAddress) : null;
}

/** An IPv4 address that came through an IPv6 socket in its own form, any other as it is. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
}

/**
 * Whom rates and limits count together: an IPv4 address, or the IPv6 network of 64 bits in which one host may take any
 * address.
 */
export function networkOfPeer(address: string): string {
  const [plain = ''] = address.split('%', 1);
  if (isIP(plain) !== 6) return address;
  return `${(addressNumber(plain, 'ipv6') >> 64n).toString(16)}::/64`;
}

/** The same where nobody shall have more by taking more addresses: on a machine, everybody has all of 127.0.0.0/8. */
export function hostOfPeer(address: string): string {
  return isIP(address) === 4 && address.startsWith('127.') ? '127.0.0.1' : networkOfPeer(address);
}

/** The IPv6 network of 48 bits that one customer is given, who may take any address in it; null for other addresses. */
export function siteOfPeer(address: string): string | null {
  const [plain = ''] = address.split('%', 1);
  return isIP(plain) === 6 ? `${(addressNumber(plain, 'ipv6') >> 80n).toString(16)}::/48` : null;
}

export class NetworkSet {
  readonly #list = new BlockList();

  constructor(networks: readonly Network[]) {
    for (const { address, prefixBits, family } of networks) this.#list.addSubnet(address, prefixBits, family);
  }

  /** Whether the address, of `peerAddress`, lies in one of the networks; a unix socket's lies in none. */
  has(address: string): boolean {
    const version = isIP(address);
    return version !== 0 && this.#list.check(address, version === 4 ? 'ipv4' : 'ipv6');
  }
}

/** A list that holds more than one in so many of the addresses of a family does not tell anybody from anybody. */
const NEARLY_ALL = 16n;
const ALL: Readonly<Record<Network['family'], Range>> = {
  ipv4: { start: 0n, end: 1n << 32n },
  ipv6: { start: 0n, end: 1n << 128n },
};
/** 2000::/4, from which nearly every public address of IPv6 was ever given out. */
const GLOBAL_UNICAST: Range = { start: 0x2n << 124n, end: 0x3n << 124n };

/** Whether the networks together hold so many addresses, of IPv4 or of IPv6, that they keep nobody out. */
export function holdsNearlyAll(networks: readonly Network[]): boolean {
  const holds = (family: Network['family'], all: Range): boolean =>
    heldWithin(networks, family, all) * NEARLY_ALL > all.end - all.start;
  return holds('ipv4', ALL.ipv4) || holds('ipv6', ALL.ipv6) || holds('ipv6', GLOBAL_UNICAST);
}

interface Range {
  readonly start: bigint;
  /** Behind its last address. */
  readonly end: bigint;
}

/** Of the IPv6 network in which IPv4 addresses are mapped, ::ffff:0:0/96: whoever names it names them. */
const MAPPED: Range = { start: 0xffff_0000_0000n, end: 0x1_0000_0000_0000n };

/** How many of the family's addresses within `all` the networks hold, each address counted once. */
function heldWithin(networks: readonly Network[], family: Network['family'], all: Range): bigint {
  const ranges = networks
    .map((network) => rangeIn(network, family))
    .filter((range) => range !== null)
    .sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
  let held = 0n;
  let next = all.start;
  for (const { start, end } of ranges) {
    const from = start > next ? start : next;
    const to = end < all.end ? end : all.end;
    if (to > from) held += to - from;
    if (to > next) next = to;
  }
  return held;
}

/** The addresses of a family that the network holds; null where it holds none. */
function rangeIn(network: Network, family: Network['family']): Range | null {
  const size = 1n << BigInt((network.family === 'ipv4' ? 32 : 128) - network.prefixBits);
  const start = (addressNumber(network.address, network.family) / size) * size;
  const end = start + size;
  if (network.family === family) return { start, end };
  if (family === 'ipv6') return null;
  // A network holds all mapped addresses, or lies within them, or holds none.
  if (start <= MAPPED.start && end >= MAPPED.end) return { start: 0n, end: MAPPED.end - MAPPED.start };
  const isWithin = start >= MAPPED.start && end <= MAPPED.end;
  return isWithin ? { start: start - MAPPED.start, end: end - MAPPED.start } : null;
}

function addressNumber(address: string, family: Network['family']): bigint {
  if (family === 'ipv4') return address.split('.').reduce((number, part) => (number << 8n) | BigInt(part), 0n);
  const [head = '', tail] = address.split('::');
  const first = groupsOf(head);
  const last = tail === undefined ? [] : groupsOf(tail);
  const zeros: bigint[] = new Array<bigint>(8 - first.length - last.length).fill(0n);
  return [...first, ...zeros, ...last].reduce((number, group) => (number << 16n) | group, 0n);
}

/** Groups of 16 bits; a final dotted IPv4 address makes two. */
function groupsOf(text: string): bigint[] {
  if (text === '') return [];
  return text.split(':').flatMap((part) => {
    if (!part.includes('.')) return [BigInt(`0x${part}`)];
    const number = addressNumber(part, 'ipv4');
    return [number >> 16n, number & 0xffffn];
  });
}
