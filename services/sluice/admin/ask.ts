// Asks the operator's page of the Sluice of this machine: by TLS where it has a certificate, and with `admin.token`.
//
// Guarantees: where a certificate is set, the token is sent only to the holder of its key.

import { type IncomingMessage, request } from 'node:http';
import type { Config } from '#shared/config/settings.ts';
import { parseListenAddress } from '#shared/net/listen-address.ts';
import { connectOwn, noAnswer } from '#shared/net/own-connection.ts';

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
  const { 'admin.listen': listen, 'admin.tls.cert': certificate } = config;
  const socket = await connectOwn({ address: parseListenAddress(listen), certificate }, question);
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
