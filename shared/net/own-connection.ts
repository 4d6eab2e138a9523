// A connection to the Sluice of this configuration: by TLS where it has a certificate.
//
// Who listens shows the certificate that the configuration names. That suffices, whatever names it has, and also after
// it has expired: a probe must not end a service for that.

import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type Socket, connect } from 'node:net';
import { type TLSSocket, connect as connectTls } from 'node:tls';
import { SluiceError, reasonOf } from '../errors.ts';
import { askOptions, type ListenAddress } from './listen-address.ts';

export interface OwnAddress {
  readonly address: ListenAddress;
  /** File of the certificate that is shown there; undefined: it is spoken in the clear. */
  readonly certificate: string | undefined;
}

export interface ConnectLimits {
  readonly signal?: AbortSignal | undefined;
  /** How long the other side may be silent; absent: for ever. */
  readonly timeoutMs?: number | undefined;
}

/** Resolves when the other side is known; rejects where nobody listens, or somebody else does. */
export async function connectOwn({ address, certificate }: OwnAddress, limits: ConnectLimits): Promise<Socket> {
  const { signal, timeoutMs } = limits;
  const to = askOptions(address);
  const plain = 'socketPath' in to ? connect({ path: to.socketPath }) : connect(to);
  const socket = certificate === undefined || address.kind === 'unix' ? plain : secured(plain);
  const limit = timeoutMs === undefined ? null : setTimeout(() => socket.destroy(noAnswer(timeoutMs)), timeoutMs);
  try {
    await once(socket, socket === plain ? 'connect' : 'secureConnect', signal && { signal });
    if (socket !== plain && certificate !== undefined) checkShown(socket as TLSSocket, certificate);
    return socket;
  } catch (error) {
    socket.destroy();
    plain.destroy();
    throw error;
  } finally {
    if (limit !== null) clearTimeout(limit);
  }
}

/** Accepts any certificate for now; `checkShown` compares it before anything is sent. */
function secured(plain: Socket): TLSSocket {
  const socket = connectTls({ socket: plain, rejectUnauthorized: false });
  plain.once('error', (error) => socket.destroy(error));
  return socket;
}

function checkShown(socket: TLSSocket, path: string): void {
  const shown = socket.getPeerX509Certificate();
  if (shown && shown.fingerprint256 === fingerprintIn(path)) return;
  throw new Error(`who listens there shows another certificate than ${path}`);
}

function fingerprintIn(path: string): string {
  try {
    return new X509Certificate(readFileSync(path)).fingerprint256;
  } catch (error) {
    throw new SluiceError('config_invalid', `Cannot read the certificate ${path}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

export function noAnswer(timeoutMs = 0): Error {
  return new Error(`no answer in ${timeoutMs} ms`);
}
