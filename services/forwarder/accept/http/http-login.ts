// Identifies the sender of an HTTP request by the token of its Authorization header, before any of the body is read.
//
// Guarantees: a wrong or missing token is answered 401 after a while. If its address has guessed too often, nothing is
// compared, and the answer is an immediate 429. Each refusal is reported.

import type { IncomingMessage } from 'node:http';
import type { FastifyReply } from 'fastify';
import { type ErrorCode, SluiceError } from '#shared/errors.ts';
import type { Logins } from '../../admit/login-limit.ts';
import type { Grant } from '../../intake/principal.ts';
import type { AuthFailure } from '../../intake/peer-telemetry.ts';

export interface LoginTelemetry {
  /** `detail`: never a secret. */
  authFailed(input: 'http', reason: AuthFailure, peer: string | null, detail?: string): void;
}

export interface HttpLoginOptions {
  /** Null: senders need no token. */
  readonly tokens: { grantOf(authorization: string): Grant | null } | null;
  readonly logins: Logins;
  readonly telemetry: LoginTelemetry;
}

const CHALLENGE = 'Bearer realm="sluice", Basic realm="sluice"';
const REFUSALS: ReadonlySet<string> = new Set<ErrorCode>(['unauthorized', 'login_limited']);

/** Whether it refuses the sender; the login has reported it already. */
export function isLoginRefusal(code: string): boolean {
  return REFUSALS.has(code);
}

export class HttpLogin {
  readonly #options: HttpLoginOptions;
  readonly #grants = new WeakMap<IncomingMessage, Grant>();

  constructor(options: HttpLoginOptions) {
    this.#options = options;
  }

  /** Rejects with unauthorized, login_limited. `peer`: null where the connection is gone. */
  async admit(request: IncomingMessage, peer: string | null, reply: FastifyReply): Promise<void> {
    const { tokens, logins, telemetry } = this.#options;
    if (!tokens) return;
    const address = peer ?? '';
    const { authorization: secret } = request.headers;
    const shown = secret === undefined ? null : { connection: request.socket, secret };
    if (shown && !logins.mayLook(address, shown)) {
      telemetry.authFailed('http', 'login_limited', peer);
      throw new SluiceError(
        'login_limited',
        'Cannot look at the token: too many wrong ones came from this address; send again later',
      );
    }
    const grant = shown && tokens.grantOf(shown.secret);
    if (grant) {
      logins.right(shown);
      this.#grants.set(request, grant);
      return;
    }
    const answerable = shown ? logins.wrong(address) : logins.hold(address);
    telemetry.authFailed('http', shown ? 'token_wrong' : 'token_missing', peer);
    await answerable;
    reply.header('www-authenticate', CHALLENGE);
    throw new SluiceError('unauthorized', 'Cannot take events: no token that is known came with them');
  }

  /** What the request's token grants. */
  grantOf(request: IncomingMessage): Grant | null {
    return this.#grants.get(request) ?? null;
  }
}
