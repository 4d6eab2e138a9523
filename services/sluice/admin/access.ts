// Who may use an operator's page: by a token (`admin.token`, `admin.tokens`) or a client certificate
// (`admin.tls.client_ca`), where either is set. Without them whoever may connect reads the metrics, and whoever sits at
// this machine may have actions done; where the address is on loopback, no page in a browser may, not even one whose
// name was bound to our address anew.
//
// Guarantees: every request except a probe's is answered only after it was admitted here. A wrong token waits for its
// answer, longer the more often its address was refused, and an address may guess only so often (admit/login-limit.ts).
// Each refusal is logged and counted.

import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { refusedOrigin, strangeHost } from '#forwarder/accept/http/browser.ts';
import type { Logins } from '#forwarder/admit/login-limit.ts';
import type { AdminAccess, AdminVerdict } from '#shared/net/admin-admission.ts';
import { isLoopback } from '#shared/net/listen-address.ts';
import { UNIX_PEER } from '#shared/net/networks.ts';
import type { AdminTelemetry } from './telemetry.ts';

export interface PageAccessOptions {
  /** The name of the token that an Authorization header shows, null for none that is known. Null: no token is set. */
  readonly holderOf: ((authorization: string) => string | null) | null;
  /** Whether clients are known by certificates. */
  readonly asksCertificates: boolean;
  /** Whether the address is on loopback: then nobody asks for it by another name. */
  readonly isLocal: boolean;
  readonly logins: Logins;
  readonly telemetry: Pick<AdminTelemetry, 'authFailed'>;
}

export class PageAccess implements AdminAccess {
  readonly #options: PageAccessOptions;

  constructor(options: PageAccessOptions) {
    this.#options = options;
  }

  async admit(request: IncomingMessage, peer: string): Promise<AdminVerdict> {
    const { logins, telemetry, holderOf } = this.#options;
    const origin = refusedOrigin(request.headers, []) ?? this.#strangeHost(request);
    if (origin !== null) {
      telemetry.authFailed('admin', 'origin_refused', peer, JSON.stringify(origin));
      return { refused: 403, why: 'Cannot answer a page in a browser: open the address itself, or use a program' };
    }
    if (!this.#isAsked) return { who: 'anyone', mayAct: isOfThisMachine(peer) };
    const { authorization: secret } = request.headers;
    const shown = secret === undefined || holderOf === null ? null : { connection: request.socket, secret };
    if (shown && !logins.mayLook(peer, shown)) {
      telemetry.authFailed('admin', 'login_limited', peer);
      return { refused: 429, why: 'Cannot look at the token: too many wrong ones came from this address; ask later' };
    }
    const who = this.whoIs(request);
    if (who !== null) {
      if (shown) logins.right(shown);
      return { who, mayAct: true };
    }
    telemetry.authFailed('admin', secret === undefined ? 'token_missing' : 'token_wrong', peer);
    await (shown ? logins.wrong(peer) : logins.hold(peer));
    return {
      refused: 401,
      why: 'Cannot answer: no token that is known came with the request; send Authorization: Bearer <token>',
    };
  }

  whoIs(request: IncomingMessage): string | null {
    if (!this.#isAsked) return this.#strangeHost(request) === null ? 'anyone' : null;
    const { holderOf, asksCertificates } = this.#options;
    const { authorization } = request.headers;
    const holder = authorization === undefined ? null : (holderOf?.(authorization) ?? null);
    if (holder !== null) return holder;
    return asksCertificates ? certificateOf(request) : null;
  }

  #strangeHost({ headers }: IncomingMessage): string | null {
    return this.#options.isLocal && !this.#isAsked ? strangeHost(headers) : null;
  }

  get #isAsked(): boolean {
    const { holderOf, asksCertificates } = this.#options;
    return holderOf !== null || asksCertificates;
  }
}

function certificateOf({ socket }: IncomingMessage): string | null {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return null;
  const { subject } = socket.getPeerCertificate();
  // Without a certificate the object is empty, whatever its type says.
  return subject ? `certificate ${[subject.CN ?? ''].flat().join(' ')}` : null;
}

function isOfThisMachine(peer: string): boolean {
  return peer === UNIX_PEER || isLoopback({ kind: 'tcp', host: peer, port: 0 });
}
