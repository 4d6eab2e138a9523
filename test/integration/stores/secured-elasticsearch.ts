// An Elasticsearch of the test's own, as it is distributed, whose clients have to speak TLS and log in. Users, roles
// and API keys are made by an administrator who stands in a file beside its configuration.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PrivateElasticsearch, privateElasticsearch } from '#test/backends/elasticsearch.ts';
import { Authority } from '#test/forwarder/admit/certificates.ts';

const ADMIN = 'admin:of-a-test';
/** `users` of Elasticsearch's file realm: bcrypt of the password above. */
const USERS = 'admin:$2a$04$abcdefghijklmnopqrstuuAHLBt8IPVP672MznuUaO6.FPuBbh0ja\n';
const SETTINGS = `xpack.security.enabled: true
xpack.security.http.ssl.enabled: true
xpack.security.http.ssl.key: http.key
xpack.security.http.ssl.certificate: http.pem
xpack.license.self_generated.type: basic
`;

export interface Role {
  readonly cluster?: readonly string[];
  readonly indices?: readonly { readonly names: readonly string[]; readonly privileges: readonly string[] }[];
}

export class SecuredElasticsearch implements AsyncDisposable {
  readonly server: PrivateElasticsearch;
  /** What its clients trust it by. */
  readonly caFile: string;
  readonly #authority: Authority;

  private constructor(server: PrivateElasticsearch, authority: Authority) {
    this.server = server;
    this.#authority = authority;
    this.caFile = authority.certificate.cert;
  }

  /** Runs already. */
  static async start(): Promise<SecuredElasticsearch> {
    const authority = new Authority();
    const configFolder = mkdtempSync(join(tmpdir(), 'sluice-secured-'));
    const { cert, key } = authority.issue({ name: 'localhost', alternatives: 'DNS:localhost,IP:127.0.0.1' });
    cpSync(cert, join(configFolder, 'http.pem'));
    cpSync(key, join(configFolder, 'http.key'));
    writeFileSync(join(configFolder, 'users'), USERS);
    writeFileSync(join(configFolder, 'users_roles'), 'superuser:admin\n');
    const ca = readFileSync(authority.certificate.cert);
    const serves = async (port: number): Promise<boolean> => {
      const health = await ask(`https://127.0.0.1:${port}/_cluster/health`, ca, { method: 'GET' }).catch(() => null);
      return health?.status === 200 && /"status":"(green|yellow)"/.test(health.text);
    };
    const server = await privateElasticsearch({ distributed: { settings: SETTINGS, configFolder, serves } });
    try {
      await server.start();
    } finally {
      // It has copies.
      rmSync(configFolder, { recursive: true });
    }
    return new SecuredElasticsearch(server, authority);
  }

  /** As the administrator; rejects where it is refused. */
  async admin(method: string, path: string, body?: object): Promise<unknown> {
    const ca = readFileSync(this.caFile);
    const { status, text } = await ask(this.server.url + path, ca, { method, ...(body && { body }) });
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text}`);
    return text === '' ? null : (JSON.parse(text) as unknown);
  }

  /** An API key with just these rights, as it is given to Sluice. `expiration` as Elasticsearch has it: 20s. */
  async newKey(role: Role, expiration?: string): Promise<string> {
    const body = { name: 'of a test', role_descriptors: { only: role }, ...(expiration && { expiration }) };
    const { encoded } = (await this.admin('POST', '/_security/api_key', body)) as { encoded: string };
    return encoded;
  }

  /** A user with just these rights. */
  async newUser(name: string, password: string, role: Role): Promise<void> {
    await this.admin('PUT', `/_security/role/${name}`, role);
    await this.admin('PUT', `/_security/user/${name}`, { password, roles: [name] });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    this.#authority[Symbol.dispose]();
  }
}

interface Asked {
  readonly method: string;
  readonly body?: object;
}

async function ask(url: string, ca: Buffer, { method, body }: Asked): Promise<{ status: number; text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const sent = request(url, { method, ca, auth: ADMIN, headers: { 'content-type': 'application/json' } }, (answer) => {
    let text = '';
    answer
      .setEncoding('utf8')
      .on('data', (piece: string) => (text += piece))
      .on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
  });
  sent.on('error', reject).end(body && JSON.stringify(body));
  return promise;
}
