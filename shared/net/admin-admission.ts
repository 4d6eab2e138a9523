// Decides whom the admin page answers: first by the rate of the address, then by the credentials of the request. Every
// path is guarded, including those that do not exist; only the public ones are not.

import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { AdminDeed } from '../access-log.ts';
import type { ServerDoor } from './guarded-server.ts';
import { peerAddress } from './networks.ts';

export type AdminVerdict =
  /** `who`: as the audit line of an action names it. */
  { readonly who: string; readonly mayAct: boolean } | { readonly refused: 401 | 403 | 429; readonly why: string };

export interface AdminAccess {
  /** Whether the request is answered; takes its time to refuse. */
  admit(request: IncomingMessage, peer: string): Promise<AdminVerdict>;
  /** Who it is, as far as is known; null: nobody who is known. Refuses nothing and reports nothing. */
  whoIs(request: IncomingMessage): string | null;
}

export interface AdminPageTelemetry {
  authFailed(
    input: 'admin',
    reason: 'tls_failed' | 'certificate_refused' | 'other_machine',
    peer: string | null,
    detail?: string,
  ): void;
  /** It asks too often, or too much at once. */
  connectionEnded(input: 'admin', reason: 'too_fast' | 'pipelined', refusedPeer: string): void;
  acted(deed: AdminDeed): void;
}

export interface AdmissionOptions {
  readonly door: ServerDoor;
  readonly access: AdminAccess;
  readonly telemetry: AdminPageTelemetry;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answers whoever may connect: it says no more than that the process is well. */
    isPublic?: true;
  }
  interface FastifyRequest {
    /** What `access` said; null on a public route. */
    operator: { readonly who: string; readonly mayAct: boolean; readonly peer: string } | null;
  }
}

export const TEXT = 'text/plain; charset=utf-8';
/** Of a refusal: what its asker sends on is not read. */
const GOODBYE = { connection: 'close' };
const LATER = { 'retry-after': '2' };

export function admitAll(
  fastify: FastifyInstance,
  { access, door, telemetry }: AdmissionOptions,
  listensOn: 'tcp' | 'unix',
): void {
  fastify.decorateRequest('operator', null);
  fastify.addHook('onRequest', async (request, reply) => {
    const peer = peerAddress(request.socket.remoteAddress, listensOn);
    if (peer === null) {
      request.socket.destroy();
      return reply.hijack();
    }
    if (door.rateOf(peer)?.request() === false) {
      telemetry.connectionEnded('admin', 'too_fast', peer);
      const why = 'Cannot answer: your address asks more often than its rate; ask later\n';
      return reply
        .headers({ ...GOODBYE, ...LATER })
        .code(429)
        .type(TEXT)
        .send(why);
    }
    // Who shows a token is told whether it is right, which must not be free to guess anywhere.
    if (request.routeOptions.config.isPublic && request.headers.authorization === undefined) return;
    const verdict = await access.admit(request.raw, peer);
    if (!('refused' in verdict)) {
      request.operator = { ...verdict, peer };
      return;
    }
    if (verdict.refused === 401) reply.header('www-authenticate', 'Bearer realm="sluice", Basic realm="sluice"');
    if (verdict.refused === 429) reply.headers(LATER);
    return reply.headers(GOODBYE).code(verdict.refused).type(TEXT).send(`${verdict.why}\n`);
  });
}
