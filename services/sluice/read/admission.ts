// Decides whose documents a request may read. With tokens (`read.tokens`) each request shows one, wherever it comes
// from. Without them the address is on loopback (admit/exposure.ts), and whoever can connect reads everything: so then
// no page in a browser may have the request made, not even one whose name was bound to our address anew.
//
// Guarantees: every request is answered only after it was admitted here, whatever its path. A wrong token waits for its
// answer, and an address may guess only so often (admit/login-limit.ts). Each refusal is logged and counted.

import type { IncomingMessage } from 'node:http';
import { refusedOrigin, strangeHost } from '#forwarder/accept/http/browser.ts';
import type { Logins } from '#forwarder/admit/login-limit.ts';
import type { Grant } from '#forwarder/intake/principal.ts';
import { SluiceError } from '#shared/errors.ts';
import type { ReadTelemetry } from './telemetry.ts';
import { ALL_TENANTS } from './tokens.ts';

export interface Reader {
  /** The name of its token, or its address: what limits count it by. */
  readonly holder: string;
  /** The tenant whose documents it may read; null: all there are. */
  readonly tenant: string | null;
  /** Whether it still may: its token may have been taken away since. */
  readonly mayStill: () => boolean;
}

interface ReadTokens {
  grantOf(authorization: string): Grant | null;
  holderOf(authorization: string): string | null;
}

export interface AdmissionOptions {
  /** Null: none are asked for. */
  readonly tokens: ReadTokens | null;
  readonly logins: Logins;
  readonly telemetry: Pick<ReadTelemetry, 'authFailed'>;
}

export class ReadAdmission {
  readonly #options: AdmissionOptions;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Whether readers are told apart. */
  get asksTokens(): boolean {
    return this.#options.tokens !== null;
  }

  /** Rejects with origin_refused, unauthorized, login_limited. */
  async admit(request: IncomingMessage, peer: string): Promise<Reader> {
    const { tokens, logins, telemetry } = this.#options;
    const origin = refusedOrigin(request.headers, []) ?? (tokens === null ? strangeHost(request.headers) : null);
    if (origin !== null) {
      telemetry.authFailed('read', 'origin_refused', peer, JSON.stringify(origin));
      const why = 'Cannot answer a page in a browser: ask by a program, at localhost or the address itself';
      throw new SluiceError('origin_refused', why);
    }
    if (tokens === null) return { holder: peer, tenant: null, mayStill: () => true };
    const { authorization: secret } = request.headers;
    const shown = secret === undefined ? null : { connection: request.socket, secret };
    if (shown && !logins.mayLook(peer, shown)) {
      telemetry.authFailed('read', 'login_limited', peer);
      const why = 'Cannot look at the token: too many wrong ones came from this address; ask later';
      throw new SluiceError('login_limited', why);
    }
    const grant = shown && tokens.grantOf(shown.secret);
    const holder = shown && tokens.holderOf(shown.secret);
    if (shown && holder !== null && typeof grant?.tenant === 'string') {
      logins.right(shown);
      const mayStill = (): boolean => tokens.grantOf(shown.secret)?.tenant === grant.tenant;
      return { holder, tenant: grant.tenant === ALL_TENANTS ? null : grant.tenant, mayStill };
    }
    telemetry.authFailed('read', shown ? 'token_wrong' : 'token_missing', peer);
    await (shown ? logins.wrong(peer) : logins.hold(peer));
    const why = 'Cannot answer: no token that is known came with the request; send Authorization: Bearer <token>';
    throw new SluiceError('unauthorized', why);
  }
}
