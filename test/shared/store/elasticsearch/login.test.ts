// How Elasticsearch is shown who comes, and known: against a server that speaks TLS and asks for what a real one asks
// for.

import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, test, type TestContext } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { Connection } from '#shared/store/elasticsearch/connection.ts';
import type { Login } from '#shared/store/elasticsearch/login.ts';
import { Authority } from '#test/forwarder/admit/certificates.ts';

const authority = new Authority();
const stranger = new Authority();
after(() => {
  authority[Symbol.dispose]();
  stranger[Symbol.dispose]();
});
const ours = authority.issue({ name: 'localhost', alternatives: 'DNS:localhost,IP:127.0.0.1' });
const caFile = authority.certificate.cert;
const fingerprintOf = (path: string): string => new X509Certificate(readFileSync(path)).fingerprint256;

/** What the server says of who asked. */
async function ask(t: TestContext, login: Login, options: ServerOptions = {}): Promise<string> {
  const pem = (path: string): Buffer => readFileSync(path);
  // The authority goes with the certificate, as Elasticsearch sends it.
  const cert = Buffer.concat([pem(ours.cert), pem(caFile)]);
  const server = createServer({ cert, key: pem(ours.key), ...options }, (request, response) => {
    response.setHeader('x-elastic-product', 'Elasticsearch');
    response.setHeader('content-type', 'application/json');
    const peer = (request.socket as TLSSocket).getPeerCertificate();
    response.end(
      JSON.stringify({ authorization: request.headers.authorization ?? null, peer: peer.subject?.CN ?? null }),
    );
  });
  t.after(() => server.close());
  server.on('tlsClientError', () => undefined);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const urls = [`https://127.0.0.1:${(server.address() as AddressInfo).port}`];
  await using connection = new Connection({ urls, connections: 1, timeoutMsMax: 10_000, ...login });
  const { text } = await connection.request({ method: 'GET', path: '/', timeoutMs: 10_000 });
  return text;
}

function check(
  what: string,
  login: Login,
  expected: { authorization: string | null; peer?: string },
  options?: ServerOptions,
) {
  test(what, async (t) => {
    assert.deepEqual(JSON.parse(await ask(t, login, options)), { peer: null, ...expected });
  });
}
const basic = `Basic ${Buffer.from('elastic:secret').toString('base64')}`;
check('an API key', { caFile, apiKey: 'a2V5' }, { authorization: 'ApiKey a2V5' });
check('a token of a service account', { caFile, bearerToken: 'AAEAAWVs' }, { authorization: 'Bearer AAEAAWVs' });
check('a user', { caFile, username: 'elastic', password: 'secret' }, { authorization: basic });
check('an authority by its fingerprint', { caFingerprint: fingerprintOf(caFile) }, { authorization: null });
const bare = fingerprintOf(caFile).replaceAll(':', '').toLowerCase();
check('as Elasticsearch prints it', { caFingerprint: bare, apiKey: 'a2V5' }, { authorization: 'ApiKey a2V5' });
const client = authority.issue({ name: 'indexer' });
const asks = { requestCert: true, rejectUnauthorized: true, ca: readFileSync(caFile) };
const shown = { caFile, certFile: client.cert, keyFile: client.key };
check('a client certificate', shown, { authorization: null, peer: 'indexer' }, asks);

for (const [what, login] of [
  ['an authority that is not known', {}],
  ['another authority', { caFile: stranger.certificate.cert }],
  ['the fingerprint of another authority', { caFingerprint: fingerprintOf(stranger.certificate.cert), apiKey: 'a2V5' }],
] as const) {
  test(`${what}: nothing is sent`, async (t) => {
    await assert.rejects(ask(t, login), { code: 'store_unavailable' });
  });
}

test('no certificate where one is asked for', async (t) => {
  await assert.rejects(ask(t, { caFile }, asks), { code: 'store_unavailable' });
});

test('files that cannot be read are told by their setting', () => {
  const urls = ['https://127.0.0.1:9200'];
  for (const [name, login] of [
    ['elasticsearch.cert', { certFile: '/no/such/file' }],
    ['elasticsearch.key', { keyFile: '/no/such/file' }],
  ] as const) {
    assert.throws(() => new Connection({ urls, connections: 1, timeoutMsMax: 1000, ...login }), new RegExp(name));
  }
});
