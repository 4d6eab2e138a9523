// Addresses of IPv4 and IPv6 as numbers of 128 bits, as Elasticsearch keeps them in fields of type `ip`: those of
// version 4 are `::ffff:a.b.c.d`, and both versions have one order. Pure; linear, and what is too long is none.

export interface AddressSpan {
  readonly first: bigint;
  readonly last: bigint;
}

const TEXT_MAX = 45;
const BITS = 128;
const VERSION_4 = 0xffffn << 32n;
const SUBNET = /^([^/]*)\/(\d{1,3})$/;
/** `10.0.*` */
const STARRED = /^((?:\d{1,3}\.){1,3})\*$/;
const NUMBER = /^(?:0|[1-9]\d{0,2})$/;
const GROUP = /^[\da-f]{1,4}$/i;

/** Of an address, a subnet (`10.0.0.0/8`), or the beginning of one (`10.*`). Null for other texts. */
export function addressSpan(text: string): AddressSpan | null {
  const [, beginning] = STARRED.exec(text) ?? [];
  if (beginning !== undefined) {
    const numbers = beginning.split('.').length - 1;
    return addressSpan(`${beginning}${'0.'.repeat(3 - numbers)}0/${8 * numbers}`);
  }
  const [, network, length] = SUBNET.exec(text) ?? [];
  if (network === undefined) {
    const only = addressNumber(text);
    return only === null ? null : { first: only, last: only };
  }
  const address = addressNumber(network);
  const bits = Number(length) + (network.includes(':') ? 0 : 96);
  if (address === null || bits > BITS) return null;
  const inside = (1n << BigInt(BITS - bits)) - 1n;
  return { first: address & ~inside, last: address | inside };
}

export function addressNumber(text: string): bigint | null {
  if (text.length > TEXT_MAX) return null;
  return text.includes(':') ? version6(text) : withPrefix(version4(text));
}

const withPrefix = (number: bigint | null): bigint | null => (number === null ? null : VERSION_4 | number);

function version4(text: string): bigint | null {
  const numbers = text.split('.');
  if (numbers.length !== 4 || !numbers.every((one) => NUMBER.test(one) && Number(one) <= 255)) return null;
  return numbers.reduce((all, one) => (all << 8n) | BigInt(one), 0n);
}

function version6(text: string): bigint | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const [before, behind = []] = halves.map(groupsOf);
  if (before === null || before === undefined || behind === null) return null;
  const missing = 8 - before.length - behind.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  const groups = [...before, ...Array.from({ length: missing }, () => 0n), ...behind];
  return groups.reduce((all, group) => (all << 16n) | group, 0n);
}

/** The last two may be an address of version 4. */
function groupsOf(text: string): bigint[] | null {
  if (text === '') return [];
  const groups: bigint[] = [];
  const texts = text.split(':');
  for (const [i, group] of texts.entries()) {
    const inner = i === texts.length - 1 && group.includes('.') ? version4(group) : null;
    if (inner !== null) groups.push(inner >> 16n, inner & 0xffffn);
    else if (GROUP.test(group)) groups.push(BigInt(`0x${group}`));
    else return null;
  }
  return groups;
}

/** Eight groups of hex digits. */
export function addressText(number: bigint): string {
  const digits = number.toString(16).padStart(32, '0');
  return (digits.match(/.{4}/g) ?? []).join(':');
}
