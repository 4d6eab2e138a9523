// The operator's page: /metrics for Prometheus, /livez and /readyz for whoever starts and stops us, and actions for
// operators. It shows no data of senders and no secrets. While the process is not ready, /readyz answers 503 with the
// reasons, a line each. A process is alive if it answers at all.
//
// Guarantees: except for /livez and /readyz without a token, nothing is answered and nothing done before `access` has
// admitted the request, whatever its path. /readyz gives its reasons only to those who are known.

import { admitAll, type AdmissionOptions } from './admin-admission.ts';
import { addRoutes, type AdminRoutesOptions } from './admin-routes.ts';
import { type GuardedServer, type PageTls, startGuardedServer } from './guarded-server.ts';

export interface AdminServerOptions extends AdmissionOptions, AdminRoutesOptions {
  /** host:port, :port or unix:/path. */
  readonly listen: string;
  /** Null: in the clear. */
  readonly tls: PageTls | null;
}

export type AdminServer = GuardedServer;

/** Nobody sends more than the few words of an action. */
const BODY_BYTES_MAX = 1024;
/** Connections without a whole request; fewer than one address may have. */
const IDLE_MAX = 48;

/** Rejects with config_invalid or listen_failed. */
export function startAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const { listen, tls, door, telemetry } = options;
  return startGuardedServer(
    {
      listen,
      tls,
      door,
      refusals: {
        pipelined: (peer) => telemetry.connectionEnded('admin', 'pipelined', peer),
        tlsFailed: (reason, peer, detail) => telemetry.authFailed('admin', reason, peer, detail),
      },
      bodyBytesMax: BODY_BYTES_MAX,
      idleMax: IDLE_MAX,
      answersHead: true,
    },
    (fastify, listensOn) => {
      admitAll(fastify, options, listensOn);
      addRoutes(fastify, options);
    },
  );
}
