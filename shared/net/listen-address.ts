// Where a server listens, as settings say it, and the one way to begin: "Cannot listen on …" tells what is the case.
//
//   127.0.0.1:24224   [::1]:24224   localhost:24224   :24224 (all addresses)   unix:/run/sluice.sock
//   systemd:forward   the sockets of that name that systemd handed over; the entry of the program makes of it
//   fd:3,4@127.0.0.1:24224   an inherited listening socket, perhaps a datagram socket, and where they are bound
//
// Port 0 lets the system choose; what `listenOn` gives is where it ended up.

import type { BindOptions } from 'node:dgram';
import { lstatSync, unlinkSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { SluiceError, reasonOf } from '../errors.ts';

export interface TcpAddress {
  readonly kind: 'tcp';
  /** Empty: all addresses. */
  readonly host: string;
  readonly port: number;
  /** Sockets that are bound there already, by who started this process. */
  readonly inherited?: InheritedSockets;
}

export interface InheritedSockets {
  readonly stream: number;
  /** Null: none of UDP; whoever wants one binds it. */
  readonly datagram: number | null;
}

export type ListenAddress = TcpAddress | { readonly kind: 'unix'; readonly path: string };

const UNIX_PREFIX = 'unix:';
/** `systemd:NAME`, a FileDescriptorName of systemd's socket units. */
export const SYSTEMD_PREFIX = 'systemd:';
/** Of an address whose sockets are bound already. */
export const INHERITED_PREFIX = 'fd:';
/** The kernel's sockaddr_un has 108 bytes, a final NUL among them. */
const UNIX_PATH_BYTES_MAX = 107;
const PORT_MAX = 65_535;
const INHERITED = /^fd:(\d{1,5})(?:,(\d{1,5}))?@(.*)$/;
const HOST_PORT = /^(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\s:[\]/]*)):(\d{1,5})$/;

/** Throws config_invalid, with what would be right. */
export function parseListenAddress(text: string): ListenAddress {
  if (text.startsWith(UNIX_PREFIX)) return unixAddress(text);
  if (text.startsWith(SYSTEMD_PREFIX)) {
    throw invalid(text, 'systemd handed over no socket of that name; only the service of its socket unit has it');
  }
  const handed = INHERITED.exec(text);
  if (handed) {
    const [, stream, datagram, where = ''] = handed;
    const inherited = { stream: Number(stream), datagram: datagram === undefined ? null : Number(datagram) };
    return { ...tcpAddress(where), inherited };
  }
  return tcpAddress(text);
}

/** What `parseListenAddress` makes an inherited address of. */
export function printInherited(address: TcpAddress, { stream, datagram }: InheritedSockets): string {
  return `${INHERITED_PREFIX}${datagram === null ? stream : `${stream},${datagram}`}@${printAddress(address)}`;
}

function tcpAddress(text: string): TcpAddress {
  const match = HOST_PORT.exec(text);
  if (!match) {
    throw invalid(text, 'it has to be host:port, [IPv6 address]:port, :port for all addresses, or unix:/path');
  }
  const port = Number(match[3]);
  if (port > PORT_MAX) throw invalid(text, `a port is at most ${PORT_MAX}`);
  return { kind: 'tcp', host: match[1] ?? match[2] ?? '', port };
}

export function printAddress(address: ListenAddress): string {
  if (address.kind === 'unix') return UNIX_PREFIX + address.path;
  const { host, port } = address;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether only this machine can reach the address. A host name other than localhost counts as public. */
export function isLoopback(address: ListenAddress): boolean {
  if (address.kind === 'unix') return true;
  const host = address.host.toLowerCase();
  return host === 'localhost' || host === '::1' || /^(?:::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

/** As `isLoopback`, for the host of a URL: an IPv6 address is in brackets there. */
export function isLoopbackHost(host: string): boolean {
  return isLoopback({ kind: 'tcp', host: host.replace(/^\[(.*)\]$/, '$1'), port: 0 });
}

/** What Node's `request` takes to ask who listens there, from this machine. */
export function askOptions(address: ListenAddress): { host: string; port: number } | { socketPath: string } {
  if (address.kind === 'unix') return { socketPath: address.path };
  const { host, port } = address;
  // Who listens on all addresses is asked by loopback.
  if (host === '' || host === '0.0.0.0') return { host: '127.0.0.1', port };
  return { host: host === '::' ? '::1' : host, port };
}

/**
 * Resolves to the address as bound; rejects with listen_failed. Errors of the server after that are its owner's. A unix
 * socket that a process left when it was killed is taken over.
 */
export async function listenOn(server: Server, address: ListenAddress): Promise<ListenAddress> {
  try {
    await listening(server, address);
  } catch (error) {
    if (address.kind === 'tcp' || !(await isAbandoned(address.path))) throw listenFailure(address, error);
    try {
      unlinkSync(address.path);
      await listening(server, address);
    } catch (again) {
      throw listenFailure(address, again);
    }
  }
  return boundAddress(server, address);
}

async function listening(server: Server, address: ListenAddress): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.once('listening', resolve);
  server.listen(listenOptions(address));
  try {
    await promise;
  } finally {
    server.off('error', reject);
    server.off('listening', resolve);
  }
}

/** Whether a unix socket lies there and nobody listens on it. */
async function isAbandoned(path: string): Promise<boolean> {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSocket()) return false;
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.on('error', (error) => resolve('code' in error && error.code === 'ECONNREFUSED'));
  });
}

/**
 * What Node's `listen` takes. Without a host it listens on all addresses, IPv6 and IPv4, as far as the machine has
 * them.
 */
function listenOptions(address: ListenAddress): { host?: string; port: number } | { path: string } | { fd: number } {
  if (address.kind === 'unix') return { path: address.path };
  if (address.inherited) return { fd: address.inherited.stream };
  return address.host === '' ? { port: address.port } : { host: address.host, port: address.port };
}

function boundAddress(server: Server, asked: ListenAddress): ListenAddress {
  const bound = server.address();
  if (bound === null || typeof bound === 'string' || asked.kind === 'unix') return asked;
  const { inherited } = asked;
  return { kind: 'tcp', host: bound.address, port: bound.port, ...(inherited && { inherited }) };
}

/** What a datagram socket takes to be bound there. */
export function datagramOptions({ host, port, inherited }: TcpAddress): BindOptions {
  return typeof inherited?.datagram === 'number' ? { fd: inherited.datagram } : { port, address: host };
}

/** listen_failed, with what can be done about it. */
export function listenFailure(address: ListenAddress, error: unknown): SluiceError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const why = FAILURES[code] ?? reasonOf(error);
  return new SluiceError('listen_failed', `Cannot listen on ${printAddress(address)}: ${why}`, { cause: error });
}

const FAILURES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the address is in use; stop what listens there, or choose another one',
  EADDRNOTAVAIL: 'this machine has no such address; name one of its own, or 127.0.0.1',
  // libuv says EACCES too where the folder of a unix socket does not exist.
  EACCES:
    'it is not permitted; a port below 1024 needs privileges, a unix socket a folder that exists and can be written',
  ENOTFOUND: 'the host name is unknown',
  EAI_AGAIN: 'the host name could not be looked up',
  EAFNOSUPPORT: 'this machine does not have that kind of address',
};

function unixAddress(text: string): ListenAddress {
  const path = text.slice(UNIX_PREFIX.length);
  if (!path.startsWith('/'))
    throw invalid(text, 'the path of a unix socket has to be absolute, such as unix:/run/sluice.sock');
  if (Buffer.byteLength(path) > UNIX_PATH_BYTES_MAX) {
    throw invalid(text, `the path of a unix socket has at most ${UNIX_PATH_BYTES_MAX} bytes`);
  }
  return { kind: 'unix', path };
}

function invalid(text: string, why: string): SluiceError {
  return new SluiceError('config_invalid', `Cannot listen on "${text}": ${why}`);
}
