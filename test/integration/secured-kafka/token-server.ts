// Stands in for an identity provider: issues tokens to one client for its credentials (RFC 6749, 4.4), signed with a
// key of its own, whose public half brokers read from a JWKS file. The test sets lifetimes and what goes wrong.

import { createSign, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export const CLIENT = { id: 'sluice client', secret: 's3cret:+/ü' };
export const ISSUER = 'https://issuer.test';

export class TokenServer implements AsyncDisposable {
  lifetimeSeconds = 3600;
  /** Answers instead of a token. */
  failure: { readonly status: number; readonly body: string } | null = null;
  /** Claims in place of the usual ones. */
  claims: Readonly<Record<string, unknown>> = {};
  /** Signs with a key that no broker knows, under the name of the one that they know. */
  forges = false;
  /** When each token was issued. */
  readonly issuedMs: number[] = [];
  readonly forms: string[] = [];
  readonly #server: Server;
  readonly #key: KeyObject;

  private constructor(jwksFile: string) {
    const { publicKey, privateKey } = newKeys();
    this.#key = privateKey;
    const key = { ...publicKey.export({ format: 'jwk' }), kid: 'k1', use: 'sig', alg: 'RS256' };
    writeFileSync(jwksFile, JSON.stringify({ keys: [key] }));
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  static async start(jwksFile: string): Promise<TokenServer> {
    const server = new TokenServer(jwksFile);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/oauth/token`;
  }

  /** Settings of whoever gets tokens here. */
  get environment() {
    return {
      SLUICE_KAFKA_SASL_MECHANISM: 'oauthbearer',
      SLUICE_KAFKA_SASL_TOKEN_URL: this.url,
      SLUICE_KAFKA_SASL_CLIENT_ID: CLIENT.id,
      SLUICE_KAFKA_SASL_CLIENT_SECRET: CLIENT.secret,
      SLUICE_KAFKA_SASL_SCOPE: 'logs',
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const form = await text(request);
    this.forms.push(form);
    response.setHeader('content-type', 'application/json');
    const answer = (status: number, body: string): void => void response.writeHead(status).end(body);
    if (this.failure !== null) return answer(this.failure.status, this.failure.body);
    if (!isClient(request.headers.authorization)) {
      return answer(401, '{"error":"invalid_client","error_description":"unknown client"}');
    }
    this.issuedMs.push(Date.now());
    answer(
      200,
      JSON.stringify({ access_token: this.#token(), token_type: 'Bearer', expires_in: this.lifetimeSeconds }),
    );
  }

  #token(): string {
    const now = Math.floor(Date.now() / 1000);
    const header = { alg: 'RS256', kid: 'k1', typ: 'JWT' };
    const end = now + this.lifetimeSeconds;
    const claims = { iss: ISSUER, aud: 'kafka', sub: 'sluice', scope: 'logs', iat: now, exp: end, ...this.claims };
    const signed = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    return `${signed}.${createSign('RSA-SHA256')
      .update(signed)
      .sign(this.forges ? newKeys().privateKey : this.#key)
      .toString('base64url')}`;
  }
}

function newKeys() {
  return generateKeyPairSync('rsa', { modulusLength: 2048 });
}

function isClient(authorization = ''): boolean {
  const [scheme, login = ''] = authorization.split(' ');
  const [id = '', secret = ''] = Buffer.from(login, 'base64').toString().split(':');
  const decoded = (part: string): string => decodeURIComponent(part.replaceAll('+', ' '));
  return scheme === 'Basic' && decoded(id) === CLIENT.id && decoded(secret) === CLIENT.secret;
}
