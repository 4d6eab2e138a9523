// How Sluice shows Elasticsearch who it is, and knows it: what the settings say, as the connection takes it.
//
// A secret that is in a file is read again for each request, so that one that expires can be replaced while we run: the
// file is small, and requests are large and few. While it cannot be read, or is empty, what it had before counts.

import { readFileSync } from 'node:fs';
import type { Config } from '#shared/config/settings.ts';

/** Undefined: not set. At most one of API key, token and user is. */
export interface Login {
  readonly apiKey?: string | undefined;
  readonly bearerToken?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** File of the secret above: API key, token or password. */
  readonly secretFile?: string | undefined;
  /** File of the certificates that the server is trusted by. */
  readonly caFile?: string | undefined;
  /** SHA-256 of the certificate that it is trusted by, in hex. */
  readonly caFingerprint?: string | undefined;
  /** Files of the certificate that the server is shown, and of its key. */
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

export function loginOf(config: Config): Login {
  return {
    apiKey: config['elasticsearch.api_key'],
    bearerToken: config['elasticsearch.bearer_token'],
    username: config['elasticsearch.username'],
    password: config['elasticsearch.password'],
    secretFile:
      config['elasticsearch.api_key_file'] ??
      config['elasticsearch.bearer_token_file'] ??
      config['elasticsearch.password_file'],
    caFile: config['elasticsearch.ca'],
    caFingerprint: config['elasticsearch.ca_fingerprint'],
    certFile: config['elasticsearch.cert'],
    keyFile: config['elasticsearch.key'],
  };
}

/** What the header `authorization` says. */
export class Credentials {
  readonly #login: Login;
  #fromFile = '';

  constructor(login: Login) {
    this.#login = login;
  }

  /** Undefined: nobody's. */
  authorization(): string | undefined {
    const { apiKey, bearerToken, username, password = '' } = this.#login;
    this.#read();
    const secret = (given: string): string => this.#fromFile || given;
    if (apiKey !== undefined) return `ApiKey ${secret(apiKey)}`;
    if (bearerToken !== undefined) return `Bearer ${secret(bearerToken)}`;
    if (username === undefined) return undefined;
    return `Basic ${Buffer.from(`${username}:${secret(password)}`).toString('base64')}`;
  }

  #read(): void {
    if (this.#login.secretFile === undefined) return;
    try {
      this.#fromFile = readFileSync(this.#login.secretFile, 'utf8').trim() || this.#fromFile;
    } catch {
      // It is away for a moment, while it is replaced.
    }
  }
}
