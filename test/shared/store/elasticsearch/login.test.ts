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

/** Behind the answer to this path the connection ends. */
const LAST = '/last';

/** A server that says who asked. */
async function serve(t: TestContext, options: ServerOptions, saw: (bytes: string) => void): Promise<readonly string[]> {
  const pem = (path: string): Buffer => readFileSync(path);
  // The authority goes with the certificate, as Elasticsearch sends it.
  const cert = Buffer.concat([pem(ours.cert), pem(caFile)]);
  const server = createServer({ cert, key: pem(ours.key), ...options }, (request, response) => {
    if (request.url === LAST) response.setHeader('connection', 'close');
    response.setHeader('x-elastic-product', 'Elasticsearch');
    response.setHeader('content-type', 'application/json');
    const peer = (request.socket as TLSSocket).getPeerCertificate();
    response.end(
      JSON.stringify({ authorization: request.headers.authorization ?? null, peer: peer.subject?.CN ?? null }),
    );
  });
  t.after(() => server.close());
  server.on('tlsClientError', () => undefined);
  server.on('secureConnection', (socket) => socket.on('data', (bytes: Buffer) => saw(bytes.toString())));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return [`https://127.0.0.1:${(server.address() as AddressInfo).port}`];
}

/** What the server says of who asked. */
async function ask(
  t: TestContext,
  login: Login,
  options: ServerOptions = {},
  saw: (bytes: string) => void = () => undefined,
): Promise<string> {
  const urls = await serve(t, options, saw);
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

test('a fingerprint: the authority signed, and is not merely named', async (t) => {
  // Whoever is in between makes an authority of the same name, and sends the real one, which is public, with it.
  const forged = stranger.issue({ name: 'localhost' });
  const cert = Buffer.concat([forged.cert, caFile].map((path) => readFileSync(path)));
  const login = { caFingerprint: fingerprintOf(caFile), apiKey: 'a2V5' };
  const seen: string[] = [];
  const options = { cert, key: readFileSync(forged.key) };
  await assert.rejects(
    ask(t, login, options, (bytes) => seen.push(bytes)),
    { code: 'store_unavailable' },
  );
  assert.deepEqual(seen, []);
});

test('a fingerprint: a server whose key the authority signed may not sign others', async (t) => {
  const leaf = authority.issue({ name: 'localhost', alternatives: 'DNS:localhost' });
  using below = new Authority({ name: 'localhost', signedBy: leaf });
  const { cert, key } = below.issue({ name: 'localhost' });
  const chain = Buffer.concat([cert, below.certificate.cert, leaf.cert, caFile].map((path) => readFileSync(path)));
  const login = { caFingerprint: fingerprintOf(caFile), apiKey: 'a2V5' };
  await assert.rejects(ask(t, login, { cert: chain, key: readFileSync(key) }), { code: 'store_unavailable' });
});

test('a fingerprint: of the server itself, and of an authority above that which signed', async (t) => {
  const basicOf = async (caFingerprint: string, options?: ServerOptions): Promise<unknown> =>
    (JSON.parse(await ask(t, { caFingerprint }, options)) as { peer: unknown }).peer;
  assert.equal(await basicOf(fingerprintOf(ours.cert)), null);
  using below = new Authority({ name: 'an authority below', signedBy: authority.certificate });
  const { cert, key } = below.issue({ name: 'localhost' });
  const chain = Buffer.concat([cert, below.certificate.cert, caFile].map((path) => readFileSync(path)));
  assert.equal(await basicOf(fingerprintOf(caFile), { cert: chain, key: readFileSync(key) }), null);
});

test('a fingerprint: a kept connection keeps nothing of its requests, and the next one is known too', async (t) => {
  const warnings: string[] = [];
  const warned = ({ name }: Error): void => void warnings.push(name);
  process.on('warning', warned);
  t.after(() => process.off('warning', warned));
  const urls = await serve(t, {}, () => undefined);
  const login = { caFingerprint: fingerprintOf(caFile) };
  await using connection = new Connection({ urls, connections: 1, timeoutMsMax: 10_000, ...login });
  const statusOf = async (path: string): Promise<number> =>
    (await connection.request({ method: 'GET', path, timeoutMs: 10_000 })).status;
  for (let connections = 0; connections < 3; connections += 1) {
    for (let i = 0; i < 12; i += 1) assert.equal(await statusOf('/'), 200);
    assert.equal(await statusOf(LAST), 200);
  }
  assert.deepEqual(warnings, []);
});

test('a fingerprint needs https', () => {
  const urls = ['https://a:9200', 'http://b:9200'];
  const login = { caFingerprint: fingerprintOf(caFile) };
  assert.throws(() => new Connection({ urls, connections: 1, timeoutMsMax: 1000, ...login }), /begins with https/);
});

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
