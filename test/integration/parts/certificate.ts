// A certificate that signs itself, for tests of TLS on this machine, made by the openssl command.

import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface Certificate {
  /** Files. */
  readonly cert: string;
  readonly key: string;
}

/** Null if one can be made. */
export function whyNoCertificates(): string | null {
  return spawnSync('openssl', ['version']).status === 0 ? null : 'there is no openssl';
}

/** Of 127.0.0.1, for a day, in a folder that exists. */
export async function newCertificate(folder: string): Promise<Certificate> {
  const cert = join(folder, 'cert.pem');
  const key = join(folder, 'key.pem');
  const subject = '-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1'.split(' ');
  const request = 'req -x509 -newkey rsa:2048 -nodes -days 1'.split(' ');
  await promisify(execFile)('openssl', request.concat(subject, '-keyout', key, '-out', cert));
  return { cert, key };
}
