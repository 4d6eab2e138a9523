// The clients that people use, with what they have to show who they are: TLS, a shared key, a user. Every event is
// found once in the store, under the tenant that the user speaks for; and with the wrong key none is.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type ClientName, isInstallable, type Security, sendBy } from '#test/clients/installed.ts';
import { Authority } from '#test/forwarder/admit/certificates.ts';
import { field, inEmbeddedStore, untilStored } from '../parts/documents.ts';
import { newPlace, SluiceProcess } from '../parts/sluice-process.ts';

const count = 200;
const place = await newPlace();
const keyed = await newPlace();
const authority = new Authority();
const programs: SluiceProcess[] = [];
const SHARED_KEY = 'a shared key';
const ca = authority.certificate.cert;

before(async () => {
  const server = authority.issue({ name: 'localhost', alternatives: 'DNS:localhost,IP:127.0.0.1' });
  const users = join(authority.folder, 'users.yaml');
  const tenants = join(authority.folder, 'tenants.yaml');
  writeFileSync(users, '- { user: anna, password: "s3cret", tenant: acme }\n');
  writeFileSync(tenants, 'acme: { tag_prefix: acme. }\n');
  // By TLS 1.3 the Go library without acks, which never reads, loses what its kernel has not sent when it closes.
  const tls = { SLUICE_TLS_CERT: server.cert, SLUICE_TLS_KEY: server.key, SLUICE_TLS_MAX_VERSION: '1.2' };
  const asking = { SLUICE_SHARED_KEY: SHARED_KEY, SLUICE_USERS: users, SLUICE_TENANTS: tenants };
  programs.push(await new SluiceProcess(['run'], place, tls).ready());
  programs.push(await new SluiceProcess(['run'], keyed, { ...tls, ...asking, SLUICE_TLS_MAX_VERSION: '1.3' }).ready());
});
after(async () => {
  for (const program of programs) await program[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
  await keyed[Symbol.asyncDispose]();
  authority[Symbol.dispose]();
});

interface Case {
  readonly at: typeof place;
  readonly ack: boolean;
  readonly security: Security;
  /** Put before the tag on the way. */
  readonly prefix: string;
  readonly tenant?: string;
}

async function check(name: ClientName, how: string, { at, ack, security, prefix, tenant }: Case): Promise<void> {
  const skip = (await isInstallable(name)) ? false : `SKIPPED: the toolchain of ${name} is not on this machine`;
  test(`${name} by ${how}, ${ack ? 'with' : 'without'} ack`, { skip }, async () => {
    const tag = `client.${name}.${ack ? 'ack' : 'no-ack'}`;
    await sendBy(name, { port: at.forward, tag, count, ack, security });
    const documents = await untilStored(inEmbeddedStore(at), prefix + tag, count);
    const numbers = documents.map((document) => Number(field(document, 'attributes.n'))).sort((a, b) => a - b);
    assert.deepEqual(
      numbers,
      Array.from({ length: count }, (_, n) => n),
    );
    for (const document of documents) assert.equal(field(document, 'tenant.id'), tenant);
  });
}

const byTls = { at: place, security: { ca }, prefix: '' };
const secret = { ca, sharedKey: SHARED_KEY, user: 'anna', password: 's3cret' };
const byUser = { at: keyed, security: secret, prefix: 'acme.', tenant: 'acme' };
for (const ack of [false, true]) {
  await check('go', 'TLS', { ...byTls, ack });
  await check('java', 'TLS', { ...byTls, ack });
  await check('npm-fluent-org', 'TLS', { ...byTls, ack });
  await check('npm-fluent-org', 'TLS, shared key and user', { ...byUser, ack });
}

for (const [what, wrong] of [
  ['key', { sharedKey: 'another' }],
  ['user', { user: 'eve' }],
  ['password', { password: 'guessed' }],
] as const) {
  const skip = (await isInstallable('npm-fluent-org')) ? false : 'SKIPPED: npm is not on this machine';
  test(`@fluent-org/logger with the wrong ${what} is refused`, { skip }, async () => {
    const sending = { port: keyed.forward, tag: 'client.wrong', count: 1, ack: true };
    const failure: unknown = await sendBy('npm-fluent-org', { ...sending, security: { ...secret, ...wrong } }).then(
      () => null,
      (error: unknown) => error,
    );
    assert.match(String(failure), /Authentication|refused|wrong/i);
    assert.ok(((await programs[1]?.metric('auth_failures_total')) ?? 0) > 0);
    assert.equal((await inEmbeddedStore(keyed)('acme.client.wrong')).length, 0);
  });
}
