// Asks the operator's page of the Sluice of this machine: by TLS where it has a certificate, and with `admin.token`.
//
// The page shows the certificate that this configuration names. That suffices, whatever names it has, and also after it
// has expired: a probe must not end a service for that.
//
// Guarantees: where a certificate is set, the token is sent only to the holder of its key.

import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { type Socket, connect } from 'node:net';
import { type TLSSocket, connect as connectTls } from 'node:tls';
import type { Config } from '#shared/config/settings.ts';
import { SluiceError, reasonOf } from '#shared/errors.ts';
import { askOptions, parseListenAddress } from '#shared/net/listen-address.ts';

export interface Question {
  readonly path: string;
  readonly method?: 'GET' | 'POST';
  /** Whether `admin.token` is shown, where it is set. */
  readonly showsToken: boolean;
  /** JSON. */
  readonly body?: string;
  readonly signal?: AbortSignal;
  /** How long the page may be silent; absent: for ever. */
  readonly timeoutMs?: number;
}

/** Resolves when the answer begins; rejects where nobody answers, or somebody else does. */
export async function askAdmin(config: Config, question: Question): Promise<IncomingMessage> {
  const { path, method = 'GET', body, signal, timeoutMs, showsToken } = question;
  const socket = await connectPage(config, question);
  const token = showsToken ? config['admin.token'] : undefined;
  const asked = request({
    createConnection: () => socket,
    host: 'localhost',
    path,
    method,
    ...(signal && { signal }),
    ...(timeoutMs !== undefined && { timeout: timeoutMs }),
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
    },
  });
  const answered = Promise.withResolvers<IncomingMessage>();
  asked.on('response', answered.resolve);
  asked.on('error', answered.reject);
  asked.on('timeout', () => asked.destroy(noAnswer(timeoutMs)));
  asked.end(body);
  return answered.promise;
}

async function connectPage(config: Config, { signal, timeoutMs }: Question): Promise<Socket> {
  const address = parseListenAddress(config['admin.listen']);
  const to = askOptions(address);
  const plain = 'socketPath' in to ? connect({ path: to.socketPath }) : connect(to);
  const { 'admin.tls.cert': certificate } = config;
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
    throw new SluiceError('config_invalid', `SLUICE_ADMIN_TLS_CERT: cannot read ${path}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

function noAnswer(timeoutMs = 0): Error {
  return new Error(`no answer in ${timeoutMs} ms`);
}
