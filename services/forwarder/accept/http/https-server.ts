// The HTTP server for requests over TLS. It has the same certificate and authorities as the other inputs, and follows
// their renewal.

import type { RequestListener, ServerOptions } from 'node:http';
import { createServer, type Server } from 'node:https';
import { tlsFailure, type TlsContext } from '../../admit/tls.ts';
import type { AuthFailure } from '../../intake/peer-telemetry.ts';

interface HttpsTimes {
  readonly keepAliveTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly headersTimeoutMs: number;
}

interface HttpsOptions {
  readonly tls: TlsContext;
  readonly http: ServerOptions;
  readonly times: HttpsTimes;
  readonly authFailed: (reason: AuthFailure, peer: string | null, detail: string) => void;
}

export function createHttpsServer({ tls, http, times, authFailed }: HttpsOptions, handler: RequestListener): Server {
  const server = createServer({ ...tls.options('reads'), ...http, handshakeTimeout: times.headersTimeoutMs }, handler);
  server.keepAliveTimeout = times.keepAliveTimeoutMs;
  server.setTimeout(times.idleTimeoutMs);
  tls.follow(server, 'reads');
  // Node would take what is no TLS for a bad request, and answer it in the clear.
  server.removeAllListeners('tlsClientError');
  server.on('tlsClientError', (error, socket) => {
    const { reason, peer, detail } = tlsFailure(error, socket);
    authFailed(reason, peer, detail);
    socket.destroy();
  });
  return server;
}
