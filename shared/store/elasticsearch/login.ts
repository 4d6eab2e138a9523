// How Sluice shows Elasticsearch who it is, and knows it: what the settings say, as the connection takes it.

import type { Config } from '#shared/config/settings.ts';

/** Undefined: not set. At most one of API key, token and user is. */
export interface Login {
  readonly apiKey?: string | undefined;
  readonly bearerToken?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
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
    caFile: config['elasticsearch.ca'],
    caFingerprint: config['elasticsearch.ca_fingerprint'],
    certFile: config['elasticsearch.cert'],
    keyFile: config['elasticsearch.key'],
  };
}
