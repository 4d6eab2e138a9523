// Sockets that systemd opened before it started this program, so that a restart refuses no connection: the kernel keeps
// them until the next process takes them. A setting names them, `systemd:NAME`; here it becomes the descriptors and the
// address that they have.
//
//   LISTEN_PID=<us>   LISTEN_FDS=2   LISTEN_FDNAMES=forward:forward   → descriptors 3 and 4, both named "forward"
//
// What a descriptor is and where it is bound is read from /proc, so that an address that others can reach is treated as
// one. https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html

import { SocketAddress } from 'node:net';
import type { Config, SettingName } from '#shared/config/settings.ts';
import { SluiceError } from '#shared/errors.ts';
import { type TcpAddress, SYSTEMD_PREFIX, printInherited } from '#shared/net/listen-address.ts';

const ADDRESSES = [
  'forward.listen',
  'http.listen',
  'syslog.listen',
  'syslog.tls_listen',
  'gelf.listen',
  'admin.listen',
  'lag.listen',
  'read.listen',
] as const satisfies readonly SettingName[];

/** sd_listen_fds begins behind standard input, output and error. */
const FIRST_DESCRIPTOR = 3;
const DESCRIPTORS_MAX = 1024;
const TABLES = [
  { file: '/proc/self/net/tcp', type: 'stream' },
  { file: '/proc/self/net/tcp6', type: 'stream' },
  { file: '/proc/self/net/udp', type: 'datagram' },
  { file: '/proc/self/net/udp6', type: 'datagram' },
] as const;

export interface ProcessFacts {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  readonly readFile: (path: string) => string;
  readonly readLink: (path: string) => string;
}

/**
 * The configuration with each `systemd:NAME` resolved. Where systemd handed over nothing it is left as it is: only who
 * listens needs it. Throws config_invalid for a name that was not handed over, or not as one address.
 */
export function withInheritedSockets(config: Config, facts: ProcessFacts): Config {
  const named = ADDRESSES.filter((setting) => config[setting]?.startsWith(SYSTEMD_PREFIX));
  const names = namesHandedOver(facts);
  if (named.length === 0 || names.length === 0) return config;
  const sockets = names.map((name, i) => ({ name, descriptor: FIRST_DESCRIPTOR + i }));
  const resolved = named.map((setting): [SettingName, string] => {
    const name = config[setting]?.slice(SYSTEMD_PREFIX.length) ?? '';
    const descriptors = sockets.filter((socket) => socket.name === name).map(({ descriptor }) => descriptor);
    return [setting, addressOf(name, descriptors, facts)];
  });
  return { ...config, ...Object.fromEntries(resolved) };
}

function namesHandedOver({ env, pid }: ProcessFacts): string[] {
  const count = Number(env['LISTEN_FDS'] ?? 0);
  // What a parent was given and left in the environment is not ours.
  if (Number(env['LISTEN_PID']) !== pid || !Number.isInteger(count) || count > DESCRIPTORS_MAX) return [];
  const names = (env['LISTEN_FDNAMES'] ?? '').split(':');
  return Array.from({ length: Math.max(0, count) }, (_, i) => names[i] || 'unknown');
}

function addressOf(name: string, descriptors: readonly number[], facts: ProcessFacts): string {
  const cannot = (why: string): SluiceError =>
    new SluiceError('config_invalid', `Cannot listen on "${SYSTEMD_PREFIX}${name}": ${why}`);
  const sockets = descriptors.map((descriptor) => {
    const bound = boundSocket(descriptor, facts);
    if (!bound) throw cannot(`descriptor ${descriptor} is no TCP or UDP socket of this network namespace`);
    return { descriptor, ...bound };
  });
  const streams = sockets.filter(({ type }) => type === 'stream');
  const datagrams = sockets.filter(({ type }) => type === 'datagram');
  const [stream] = streams;
  if (!stream || streams.length > 1 || datagrams.length > 1) {
    throw cannot(
      `it takes one ListenStream and at most one ListenDatagram of that FileDescriptorName; systemd handed over ${streams.length} and ${datagrams.length}`,
    );
  }
  return printInherited(stream.address, { stream: stream.descriptor, datagram: datagrams[0]?.descriptor ?? null });
}

type Bound = { readonly type: 'stream' | 'datagram'; readonly address: TcpAddress };

function boundSocket(descriptor: number, { readFile, readLink }: ProcessFacts): Bound | null {
  const inode = /^socket:\[(\d+)\]$/.exec(attempt(() => readLink(`/proc/self/fd/${descriptor}`)))?.[1];
  if (inode === undefined) return null;
  for (const { file, type } of TABLES) {
    const address = localAddress(
      attempt(() => readFile(file)),
      inode,
    );
    if (address) return { type, address };
  }
  return null;
}

/** Empty where the file is not there: another system, or one without IPv6. */
function attempt(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}

const LOCAL_COLUMN = 1;
const INODE_COLUMN = 9;

/**
 * Where the socket of an inode is bound, by a table of /proc/net. Addresses there are words of the machine's own byte
 * order in hex, ports big-endian: 0100007F:5EA0 is 127.0.0.1:24224.
 * https://docs.kernel.org/networking/proc_net_tcp.html
 */
export function localAddress(table: string, inode: string): TcpAddress | null {
  for (const line of table.split('\n')) {
    const columns = line.trim().split(/\s+/);
    if (columns[INODE_COLUMN] !== inode) continue;
    const [words = '', port = ''] = (columns[LOCAL_COLUMN] ?? '').split(':');
    const bytes = Buffer.from(words, 'hex');
    if (bytes.length !== 4 && bytes.length !== 16) return null;
    return { kind: 'tcp', host: hostOf(bytes.swap32()), port: Number.parseInt(port, 16) };
  }
  return null;
}

function hostOf(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = bytes.toString('hex').match(/.{4}/g) ?? [];
  return new SocketAddress({ family: 'ipv6', address: groups.join(':') }).address;
}
