// Whom the read API answers, and with whose documents.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { SluiceError } from '#shared/errors.ts';
import { Authority } from '#test/forwarder/admit/certificates.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { bearer, LINES, RunningApi, search } from './running-api.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-read-tokens-'));
const authority = new Authority();
after(() => {
  rmSync(folder, { recursive: true });
  authority[Symbol.dispose]();
});

const ACME = 'the-token-of-acme';
const BETA = 'the-token-of-beta';
const ALL = 'the-token-of-all-of-them';
const sha256 = createHash('sha256').update(BETA).digest('hex');
const TOKENS = `
- { token: ${ACME}, tenant: acme, user: anna }
- { sha256: ${sha256}, tenant: beta }
- { token: ${ALL}, tenant: '*' }
`;

let files = 0;
function fileOf(content: string): string {
  const path = join(folder, `${files++}.yaml`);
  writeFileSync(path, content);
  return path;
}

const withTokens = (content = TOKENS) => ({ SLUICE_READ_TOKENS: fileOf(content) });

/** Of two tenants; each document says whose it is in every field. */
async function ofTwo(api: RunningApi): Promise<void> {
  await api.write(
    ['acme', 'beta'].flatMap((tenant) =>
      Array.from({ length: 5 }, (_, i) => ({
        message: `of ${tenant} ${i}`,
        tenant: { id: tenant },
        container: { name: `web-${tenant}` },
        attributes: { [`only_${tenant}`]: tenant, shared: tenant },
      })),
    ),
  );
}

test('a tenant reads its own documents, and nothing of another, in whatever way it asks', async () => {
  await using api = await RunningApi.open({ env: withTokens() });
  await ofTwo(api);
  const { next } = await api.json(search('', { limit: '3' }), bearer(BETA));
  const ways = [
    search(''),
    search('beta OR of'),
    search('tenant:beta OR tenant.id:beta OR NOT tenant:acme'),
    search('NOT shared:acme OR message:*'),
    search('shared:be*'),
    search('', { name: 'web-*' }),
    search('', { name: 'web-beta' }),
    search('', { after: next ?? '' }),
    search('', { order: 'oldest', limit: '1000' }),
    search('* | count by tenant, container'),
    search('* | top shared'),
    search('* | stats uniq(shared), count(only_beta) by message'),
    search('* | fields tenant.id, shared | sort shared'),
    search('only_bet:x'),
    search('onlybeta:x'),
    'histogram?by=tenant,shared&from=2026-01-01T00:00:00Z&every=30d',
    'fields',
    'fields?q=onlybeta:x',
  ];
  for (const way of ways) {
    for (const accept of [{}, LINES.headers]) {
      const headers = { ...bearer(ACME).headers, ...accept };
      const { status, body } = await api.ask(way, { headers });
      assert.equal(status, 200, `${way}: ${body}`);
      // Only what was asked with may say it: of the documents, nothing.
      const told = body.replaceAll(/nothing has the field \w+/g, '').replaceAll('"count(only_beta)"', '""');
      assert.doesNotMatch(told, /beta/, way);
    }
    assert.match((await api.ask(way, bearer(ALL))).body, /beta|"rows"|hints/, way);
  }
  const found = async (token: string, q = '') => (await api.json(search(q), bearer(token))).documents.length;
  assert.deepEqual([await found(ACME), await found(BETA), await found(ALL)], [5, 5, 10]);
  assert.equal(await found(ACME, 'tenant:beta'), 0);
  for (const path of [
    search('', { tenant: 'beta' }),
    'tail?tenant=beta',
    'histogram?tenant=beta',
    'fields?tenant=beta',
  ]) {
    const { status, body } = await api.ask(path, bearer(ACME));
    assert.deepEqual([status, JSON.parse(body).error.code], [403, 'tenant_refused'], path);
  }
  assert.equal((await api.json(search('', { tenant: 'beta' }), bearer(ALL))).documents.length, 5);
});

test('a tail is of the tenant too', async () => {
  await using api = await RunningApi.open({ env: withTokens() });
  const response = await api.begin('tail?q=tenant:beta+OR+of', bearer(ACME));
  response.setEncoding('utf8');
  let told = '';
  const begun = Promise.withResolvers<void>();
  const read = (async () => {
    for await (const chunk of response) {
      begun.resolve();
      if ((told += String(chunk)).includes('of acme 4')) break;
    }
  })();
  await begun.promise;
  await ofTwo(api);
  await read;
  assert.doesNotMatch(told, /beta/);
});

test('without a token that is known there is no answer, whatever the path', async () => {
  await using api = await RunningApi.open({ env: withTokens() });
  await ofTwo(api);
  const basic = (pair: string) => ({ headers: { authorization: `Basic ${Buffer.from(pair).toString('base64')}` } });
  // Together, for each waits for its answer.
  const paths = ['search', 'tail', 'fields', 'histogram', 'openapi.json', 'nothing'];
  for (const { status, headers, body } of await Promise.all(paths.map((path) => api.ask(path)))) {
    assert.deepEqual([status, JSON.parse(body).error.code], [401, 'unauthorized']);
    assert.match(String(headers['www-authenticate']), /Bearer/);
    assert.equal(headers['connection'], 'close');
  }
  const wrong = [bearer('another-token-of-16'), bearer(''), basic(`nobody:${ACME}`), basic(`anna:${BETA}x`)];
  for (const { status } of await Promise.all(wrong.map((options) => api.ask('search', options))))
    assert.equal(status, 401);
  for (const options of [bearer(ACME), bearer(BETA), basic(`anna:${ACME}`), basic(`any:${BETA}`)])
    assert.equal((await api.ask('search', options)).status, 200);
  assert(!JSON.stringify(api.lines).includes(ACME));
  assert.equal(await api.metric(/^sluice_auth_failures_total\{input="read",reason="token_missing"\} (\d+)/m), 6);
  assert.equal(await api.metric(/^sluice_auth_failures_total\{input="read",reason="token_wrong"\} (\d+)/m), 4);
});

test('an address guesses only so often; whoever was let in goes on', async () => {
  const clock = new VirtualClock();
  await using api = await RunningApi.open({ env: withTokens(), clock });
  const statuses: number[] = [];
  const guesses = Array.from({ length: 40 }, (_, n) =>
    api.ask('search', bearer(`a-guess-of-a-token-${n}`)).then(({ status }) => statuses.push(status)),
  );
  // Those that are held wait for the clock.
  while (statuses.length < 40 - 16) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(statuses.filter((status) => status === 429).length, 10);
  const limited = await api.ask('search', bearer(ACME));
  assert.deepEqual([limited.status, JSON.parse(limited.body).error.code], [429, 'login_limited']);
  await clock.advance(1000);
  await Promise.all(guesses);
  assert.equal((await api.ask('search', bearer(ACME))).status, 200);
});

test('no page in a browser reads: not by its origin, and not by a name that is bound to our address', async () => {
  await using api = await RunningApi.open();
  await ofTwo(api);
  const port = api.port;
  const refused = [
    { origin: 'http://evil.example' },
    { origin: `http://127.0.0.1:${port}` },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'same-origin' },
    { host: 'evil.example' },
    { host: `evil.example:${port}` },
    { host: 'localhost.evil.example' },
    { host: '127.0.0.1.evil.example' },
    { host: '127.0.0.1@evil.example' },
    { host: '[::1].evil.example' },
  ];
  for (const path of ['search', 'tail', 'fields', 'histogram', 'openapi.json', 'nothing']) {
    for (const headers of refused) {
      const { status, body } = await api.ask(path, { headers });
      assert.deepEqual(
        [status, JSON.parse(body).error.code],
        [403, 'origin_refused'],
        JSON.stringify({ path, headers }),
      );
      assert.doesNotMatch(body, /of acme/);
    }
  }
  for (const host of [`localhost:${port}`, 'localhost', '127.0.0.1', `[::1]:${port}`, '192.0.2.7', 'LOCALHOST'])
    assert.equal((await api.ask('search', { headers: { host, 'sec-fetch-site': 'none' } })).status, 200, host);
  assert.match(JSON.stringify(api.lines), /"access_refused"/);
});

test('what comes back is no page, and nobody keeps it', async () => {
  await using api = await RunningApi.open();
  for (const path of ['search', 'search?q=(', 'openapi.json', 'nothing']) {
    const { headers } = await api.ask(path);
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['cache-control'], 'no-store');
    assert.match(String(headers['content-type']), /^application\/json/);
    assert.equal(headers['access-control-allow-origin'], undefined);
  }
});

async function startFails(env: Record<string, string>, expected: RegExp): Promise<void> {
  await assert.rejects(RunningApi.open({ env }), (error) => {
    assert(error instanceof SluiceError && error.code === 'config_invalid', String(error));
    assert.match(error.message, expected);
    return true;
  });
}

test('an address that others can reach needs tokens; nothing else will do', async () => {
  const unguarded = /Cannot listen on 0\.0\.0\.0:0 for reading: anyone .* set SLUICE_READ_TOKENS, or listen on 127/;
  const open = { SLUICE_READ_LISTEN: '0.0.0.0:0' };
  await startFails(open, unguarded);
  await startFails({ ...open, SLUICE_ALLOW_NETWORKS: '10.0.0.0/8' }, unguarded);
  await startFails({ ...open, SLUICE_HTTP_TOKENS: fileOf('- token: of-a-sender') }, unguarded);
  await startFails({ ...open, SLUICE_ADMIN_TOKEN: 'of-an-operator' }, unguarded);
  await startFails({ ...open, SLUICE_INSECURE: 'read' }, /SLUICE_INSECURE/);
  await using api = await RunningApi.open({ env: { ...open, ...withTokens() } });
  assert.equal((await api.ask('search')).status, 401);
  assert.equal((await api.ask('search', { headers: { ...bearer(ALL).headers, host: 'logs.example' } })).status, 200);
});

test('a file of tokens that could mean more than it says is refused', async () => {
  const check = (content: string, expected: RegExp, more = {}) =>
    startFails({ ...withTokens(content), ...more }, expected);
  await check('', /it names no token/);
  await check(`- { token: ${ACME} }`, /tenant/);
  await check(`- { token: ${ACME}, tenant: '' }`, /tenant/);
  await check(`- { token: short, tenant: acme }`, /16/);
  await check(`- { tenant: acme }`, /one of token and sha256/);
  await check(`- { token: ${ACME}, tenant: acme, tags: ['a.*'] }`, /there is no such key/);
  await check(`${TOKENS}\n- { token: ${BETA}, tenant: acme }`, /the token is there twice/);
  const senders = (content: string) => ({ SLUICE_HTTP_TOKENS: fileOf(content) });
  await check(TOKENS, /0\.token: senders have it too/, senders(`- token: ${ACME}`));
  await check(TOKENS, /1\.token: senders have it too/, senders(`- sha256: ${sha256.toUpperCase()}\n  tenant: acme`));
});

test('tokens come and go with their file; one that cannot be read leaves those before', async () => {
  const clock = new VirtualClock();
  const env = withTokens();
  await using api = await RunningApi.open({ env, clock });
  writeFileSync(
    env.SLUICE_READ_TOKENS,
    `- { token: ${BETA}, tenant: beta }\n# longer than before, so that it is seen\n`,
  );
  await clock.advance(3000);
  assert.equal((await api.ask('search', bearer(BETA))).status, 200);
  const gone = api.ask('search', bearer(ACME));
  await clock.advance(1000);
  assert.equal((await gone).status, 401);
  writeFileSync(env.SLUICE_READ_TOKENS, 'nonsense: [');
  await clock.advance(3000);
  assert.equal((await api.ask('search', bearer(BETA))).status, 200);
  assert(api.lines.some(({ event, input }) => event === 'tokens_unusable' && input === 'read'));
});

test('by TLS, and in no other way, where it has a certificate', async () => {
  const { cert, key } = authority.issue({ name: 'logs.example', alternatives: 'DNS:logs.example' });
  await using api = await RunningApi.open({
    env: { SLUICE_READ_TLS_CERT: cert, SLUICE_READ_TLS_KEY: key, ...withTokens() },
  });
  const to = { host: '127.0.0.1', port: api.port, path: '/api/search', agent: false, ...bearer(ALL) };
  const asked = tlsRequest({ ...to, rejectUnauthorized: false });
  asked.end();
  const [response] = await once(asked, 'response');
  assert.match(await text(response), /"documents"/);
  const plain = request(to);
  plain.end();
  await assert.rejects(once(plain, 'response'));
});

test('on a unix socket its permissions guard, and no token is asked', async () => {
  const path = join(folder, 'read.sock');
  await using _api = await RunningApi.open({ env: { SLUICE_READ_LISTEN: `unix:${path}` } });
  const asked = request({ socketPath: path, path: '/api/search', headers: { host: 'localhost' } });
  asked.end();
  const [response] = await once(asked, 'response');
  assert.match(await text(response), /"documents"/);
});
