// Certificates for tests, made by the openssl command in a folder of their own: an authority, a server that it signed,
// and clients good and bad.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificate {
  /** Paths. */
  readonly cert: string;
  readonly key: string;
}

export interface CertificateOptions {
  /** Common name. */
  readonly name: string;
  /** Alternative names as openssl writes them, such as `DNS:a,IP:127.0.0.1`. */
  readonly alternatives?: string;
  /** From now on; it has ended already where negative. */
  readonly days?: number;
}

export class Authority implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'sluice-certificates-'));
  readonly certificate: Certificate;
  #serial = 0;

  /** `signedBy`: it is below that one, whether or not that one may sign; absent: it signs itself. */
  constructor({ name = 'sluice test authority', signedBy }: { name?: string; signedBy?: Certificate } = {}) {
    this.certificate = { cert: this.#path('ca.pem'), key: this.#path('ca.key') };
    const { cert, key } = this.certificate;
    const signer = signedBy ? ['-CA', signedBy.cert, '-CAkey', signedBy.key] : [];
    openssl(['req', '-x509', ...newKey(key), '-out', cert, '-subj', `/CN=${name}`, '-days', '2', ...signer]);
  }

  issue({ name, alternatives, days = 2 }: CertificateOptions): Certificate {
    const serial = String(++this.#serial);
    const [request, cert, key] = [`${serial}.csr`, `${serial}.pem`, `${serial}.key`].map((file) => this.#path(file));
    openssl(['req', ...newKey(key!), '-out', request!, '-subj', `/CN=${name}`]);
    const extensions = this.#path(`${serial}.ext`);
    writeFileSync(extensions, alternatives ? `subjectAltName=${alternatives}\n` : '');
    const { cert: ca, key: caKey } = this.certificate;
    const signing = ['x509', '-req', '-in', request!, '-CA', ca, '-CAkey', caKey, '-extfile', extensions];
    openssl([...signing, '-set_serial', serial, '-out', cert!, '-days', String(days)]);
    return { cert: cert!, key: key! };
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #path(file: string): string {
    return join(this.folder, file);
  }
}

function newKey(path: string): string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', path];
}

function openssl(args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' });
}
