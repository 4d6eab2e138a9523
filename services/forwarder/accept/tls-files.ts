// The certificate of the inputs that speak TLS, from its files.

import { readFileSync } from 'node:fs';
import type { TlsOptions } from 'node:tls';
import type { Config } from '#shared/config/settings.ts';
import { SluiceError, reasonOf } from '#shared/errors.ts';
import type { Tls } from './stream-server.ts';

/** Null where no certificate is set. Throws config_invalid where a file cannot be read. */
export function tlsOfFiles(config: Config): Tls | null {
  const { 'tls.cert': certFile, 'tls.key': keyFile, 'tls.client_ca': caFile } = config;
  if (certFile === undefined || keyFile === undefined) return null;
  const asks = caFile !== undefined;
  const options: TlsOptions = {
    cert: read(certFile),
    key: read(keyFile),
    ...(asks && { ca: read(caFile) }),
    requestCert: asks,
    rejectUnauthorized: asks,
    minVersion: 'TLSv1.2',
  };
  return { options: () => options, follow: () => undefined };
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new SluiceError('config_invalid', `Cannot speak TLS: ${reasonOf(error)}`, { cause: error });
  }
}
