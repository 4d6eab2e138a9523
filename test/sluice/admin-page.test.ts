// The operators' page as services start it: TLS, tokens, client certificates, networks, and how Sluice's own commands
// ask it.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { Agent, type RequestOptions, request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { type Clock, systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import type { Config } from '#shared/config/settings.ts';
import { SluiceError } from '#shared/errors.ts';
import { createLog } from '#shared/log.ts';
import { Metrics } from '#shared/metrics.ts';
import { Authority } from '#test/forwarder/admit/certificates.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { askAdmin } from '../../services/sluice/admin/ask.ts';
import { startAdminPage } from '../../services/sluice/admin/page.ts';
import { run as health } from '../../services/sluice/commands/health.ts';
import { Page } from './command-runner.ts';

const authority = new Authority();
after(() => authority[Symbol.dispose]());
const server = authority.issue({ name: 'some.name', alternatives: 'DNS:some.name' });
const other = authority.issue({ name: 'some.name', alternatives: 'DNS:some.name' });
const expired = authority.issue({ name: 'some.name', days: -1 });
const operator = authority.issue({ name: 'ops' });
const TOKEN = 'a-secret-token';

function configOf(env: Readonly<Record<string, string>>): Config {
  return loadConfig({ env: { SLUICE_ADMIN_LISTEN: '127.0.0.1:0', ...env }, readFile: () => '' });
}

interface Line {
  readonly event: string;
  readonly reason?: string;
  readonly who?: string;
  readonly count?: number;
}

/** A page; `config`: with its address as bound. */
async function open(env: Readonly<Record<string, string>>, clock: Clock = systemClock) {
  const lines: (Line & Record<string, unknown>)[] = [];
  const log = createLog('info', systemClock, { lines: { write: (line: string) => void lines.push(JSON.parse(line)) } });
  const metrics = new Metrics({ version: '0', command: 'test' });
  const config = configOf(env);
  const page = await startAdminPage(
    { config, clock, log, metrics },
    {
      metrics: (accept) => metrics.render(accept),
      unreadyReasons: () => ['broker-7 is away'],
      actions: [
        {
          path: '/do',
          about: '',
          async *run() {
            yield 'done\n';
          },
        },
      ],
    },
  );
  return { lines, metrics, config: { ...config, 'admin.listen': page.address }, [Symbol.asyncDispose]: page.close };
}

interface Asking extends RequestOptions {
  readonly cert?: string;
  readonly key?: string;
}

/** As a scraper asks. */
async function ask(config: Config, path: string, { cert, key, ...options }: Asking = {}) {
  const [host = '', port] = config['admin.listen'].split(':');
  const to = { host, port, path, agent: false, ...options };
  const asked = config['admin.tls.cert']
    ? tlsRequest({
        ...to,
        ca: readFileSync(authority.certificate.cert),
        servername: 'some.name',
        ...(cert && key && { cert: readFileSync(cert), key: readFileSync(key) }),
      })
    : plainRequest(to);
  asked.end(options.method === 'POST' ? '{}' : undefined);
  const [response] = await once(asked, 'response');
  return { status: response.statusCode as number, headers: response.headers, body: await text(response) };
}

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
const post = (headers: Record<string, string> = {}) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', 'content-length': '2', ...headers },
});
const tls = (certificate = server) => ({
  SLUICE_ADMIN_TLS_CERT: certificate.cert,
  SLUICE_ADMIN_TLS_KEY: certificate.key,
});

test('with a token: metrics and actions for who shows it, probes for all', async () => {
  await using page = await open({ SLUICE_ADMIN_TOKEN: TOKEN });
  const { config, lines } = page;
  assert.equal((await ask(config, '/livez')).body, 'ok\n');
  assert.doesNotMatch((await ask(config, '/readyz')).body, /broker-7/);
  assert.equal((await ask(config, '/readyz', bearer('a-guess-of-it'))).status, 401);
  assert.equal((await ask(config, '/readyz', bearer(TOKEN))).body, 'broker-7 is away\n');
  assert.equal((await ask(config, '/metrics')).status, 401);
  assert.equal((await ask(config, '/metrics', bearer('another'))).status, 401);
  const basic = Buffer.from(`prometheus:${TOKEN}`).toString('base64');
  assert.equal((await ask(config, '/metrics', { headers: { authorization: `Basic ${basic}` } })).status, 200);
  const { body } = await ask(config, '/metrics', bearer(TOKEN));
  assert.match(body, /^sluice_auth_failures_total\{input="admin",reason="token_missing"\} 1$/m);
  assert.match(body, /^sluice_auth_failures_total\{input="admin",reason="token_wrong"\} 2$/m);
  assert.equal((await ask(config, '/do', post())).status, 401);
  assert.equal((await ask(config, '/do', post(bearer(TOKEN).headers))).body, 'done\n');
  const done = lines.filter(({ event }) => event === 'admin_action');
  assert.deepEqual(
    done.map(({ action, who, peer, outcome }) => [action, who, peer, outcome]),
    [
      ['/do', 'admin.token', '127.0.0.1', 'started'],
      ['/do', 'admin.token', '127.0.0.1', 'done'],
    ],
  );
  assert.doesNotMatch(JSON.stringify(lines), new RegExp(`${TOKEN}|another|a-guess`));
});

test('tokens of a file, by their digests; its user is who did it', async () => {
  const path = join(authority.folder, 'admin-tokens.yaml');
  const digest = createHash('sha256').update(TOKEN).digest('hex');
  writeFileSync(path, `- { sha256: ${digest}, user: anna }\n`);
  await using page = await open({ SLUICE_ADMIN_TOKENS: path });
  assert.equal((await ask(page.config, '/metrics')).status, 401);
  assert.equal((await ask(page.config, '/do', post(bearer(TOKEN).headers))).status, 200);
  assert.equal(page.lines.find(({ event }) => event === 'admin_action')?.who, 'anna');
});

test('refusals of one peer are a line at once, and one with their number at the end', async () => {
  const page = await open({ SLUICE_ADMIN_TOKEN: TOKEN });
  await Promise.all(Array.from({ length: 5 }, () => ask(page.config, '/metrics')));
  await page[Symbol.asyncDispose]();
  const refused = page.lines.filter(({ event }) => event === 'access_refused');
  assert.deepEqual(
    refused.map(({ input, reason, peer, count }) => [input, reason, peer, count]),
    [
      ['admin', 'token_missing', '127.0.0.1', 1],
      ['admin', 'token_missing', '127.0.0.1', 4],
    ],
  );
});

test('however many connections guess, so many guesses are looked at; a scraper that was let in goes on', async () => {
  const clock = new VirtualClock();
  await using page = await open({ SLUICE_ADMIN_TOKEN: TOKEN }, clock);
  const { config, lines } = page;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const scraper = { ...bearer(TOKEN), agent };
  assert.equal((await ask(config, '/metrics', scraper)).status, 200);
  const statuses: number[] = [];
  const guesses = Array.from({ length: 40 }, (_, n) =>
    // On any path, for a probe is told too whether its token is right.
    ask(config, n % 2 ? '/metrics' : '/livez', bearer(`a-guess-${n}`)).then(({ status }) => statuses.push(status)),
  );
  // Those that are held wait for the clock.
  while (statuses.length < 40 - 16) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(statuses.filter((status) => status === 429).length, 10);
  const { status, headers } = await ask(config, '/metrics', bearer(TOKEN));
  assert.deepEqual([status, headers['retry-after'], headers['connection']], [429, '2', 'close']);
  assert.equal((await ask(config, '/metrics', scraper)).status, 200);
  assert.equal((await ask(config, '/livez')).status, 200);
  await clock.advance(1000);
  await Promise.all(guesses);
  assert.equal(statuses.filter((each) => each === 401).length, 30);
  assert.equal((await ask(config, '/metrics', bearer(TOKEN))).status, 200);
  agent.destroy();
  assert.ok(lines.some(({ event, reason }) => event === 'access_refused' && reason === 'login_limited'));
});

for (const [how, env] of [
  ['in the clear', {}],
  ['by TLS', tls()],
] as const) {
  test(`an address that connects, or asks, too often is refused, ${how}; this machine is not, unless it is said`, async () => {
    const rates = { SLUICE_RATE_CONNECTIONS_PER_ADDRESS: '2', SLUICE_RATE_REQUESTS_PER_ADDRESS: '1' };
    const named = { ...rates, SLUICE_RATE_EXEMPT_NETWORKS: '192.0.2.0/24' };
    const clock = new VirtualClock();
    await using page = await open({ ...env, ...named }, clock);
    for (let i = 0; i < 10; i++) assert.equal((await ask(page.config, '/livez')).status, 200);
    for (let i = 0; i < 10; i++) assert.equal((await ask(page.config, '/livez')).status, 429);
    await assert.rejects(ask(page.config, '/livez'), 'closed before a byte is read');
    await clock.advance(1000);
    assert.equal((await ask(page.config, '/livez')).status, 200);
    const refused = page.lines.filter(({ reason }) => reason === 'too_fast');
    assert.deepEqual(
      refused.map(({ event, count }) => [event, count]),
      [['access_refused', 1]],
    );
    await using exempt = await open({ ...env, ...rates }, clock);
    for (let i = 0; i < 30; i++) assert.equal((await ask(exempt.config, '/livez')).status, 200);
  });
}

test('without a token: actions for this machine; a page in a browser is refused all but the probes', async () => {
  await using page = await open({});
  const { config, lines } = page;
  assert.equal((await ask(config, '/do', post())).status, 200);
  const foreign = { origin: 'http://rebound.example:24231' };
  assert.equal((await ask(config, '/do', post(foreign))).status, 403);
  assert.equal((await ask(config, '/metrics', { headers: foreign })).status, 403);
  assert.equal((await ask(config, '/livez', { headers: foreign })).status, 200);
  assert.equal(lines.find(({ event }) => event === 'access_refused')?.reason, 'origin_refused');
});

test('TLS: spoken where a certificate is set, known by that certificate to our own commands', async () => {
  await using page = await open({ ...tls(), SLUICE_ADMIN_TOKEN: TOKEN });
  const { config } = page;
  assert.equal((await ask(config, '/metrics', bearer(TOKEN))).status, 200);
  const answer = await askAdmin(config, { path: '/readyz', showsToken: true, timeoutMs: 30_000 });
  assert.equal(await text(answer), 'broker-7 is away\n');
  const posted = await askAdmin(config, { path: '/do', method: 'POST', showsToken: true, body: '{}' });
  assert.equal(await text(posted), 'done\n');
  // Another who has a certificate of the same authority and the same name.
  const wrong = { ...config, 'admin.tls.cert': other.cert };
  await assert.rejects(askAdmin(wrong, { path: '/livez', showsToken: true }), /another certificate/);
  // In the clear nothing is said.
  const socket = connect(Number(config['admin.listen'].split(':')[1]), '127.0.0.1');
  socket.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n');
  assert.doesNotMatch((await text(socket).catch(() => '')) || '', /ok/);
  while (!page.lines.some(({ reason }) => reason === 'tls_failed'))
    await new Promise((resolve) => setImmediate(resolve));
});

test('an expired certificate does not make a healthy process ill', async () => {
  await using page = await open(tls(expired));
  const stdout = new Page();
  const context = {
    config: page.config,
    stdout,
    stderr: stdout,
    signal: new AbortController().signal,
    clock: systemClock,
  };
  assert.equal(await health([], context), 0);
  assert.equal(await health(['--ready'], context), 1);
  assert.equal(stdout.text, 'ok\nbroker-7 is away\n');
});

test('a client certificate in place of a token; probes show none', async () => {
  await using page = await open({ ...tls(), SLUICE_ADMIN_TLS_CLIENT_CA: authority.certificate.cert });
  const { config, lines } = page;
  assert.equal((await ask(config, '/livez')).status, 200);
  assert.equal((await ask(config, '/metrics')).status, 401);
  assert.equal((await ask(config, '/metrics', operator)).status, 200);
  using stranger = new Authority();
  await assert.rejects(ask(config, '/metrics', stranger.issue({ name: 'ops' })));
  assert.equal(lines.at(-1)?.reason, 'certificate_refused');
  assert.equal((await ask(config, '/do', { ...post(), ...operator })).status, 200);
  assert.equal(lines.find(({ event }) => event === 'admin_action')?.who, 'certificate ops');
});

test('a stop does not wait for a peer that never ends its handshake', async () => {
  const page = await open(tls());
  const [host = '', port] = page.config['admin.listen'].split(':');
  const peer = connect(Number(port), host);
  await once(peer, 'connect');
  // Accepted in the order of their coming.
  await ask(page.config, '/livez');
  const gone = once(peer.resume(), 'close');
  await page[Symbol.asyncDispose]();
  await gone;
});

test('a certificate alone guards no public address; a token or the authority of clients does', async () => {
  const everywhere = { SLUICE_ADMIN_LISTEN: '0.0.0.0:0' };
  await assert.rejects(open({ ...everywhere, ...tls() }), (error) => {
    assert(error instanceof SluiceError);
    assert.match(error.message, /SLUICE_ADMIN_TOKEN or SLUICE_ADMIN_TOKENS or SLUICE_ADMIN_TLS_CLIENT_CA/);
    return error.code === 'config_invalid';
  });
  await using _token = await open({ ...everywhere, SLUICE_ADMIN_TOKEN: TOKEN });
  await using _client = await open({ ...everywhere, ...tls(), SLUICE_ADMIN_TLS_CLIENT_CA: authority.certificate.cert });
});

for (const [how, env] of [
  ['in the clear', {}],
  ['by TLS', tls()],
] as const) {
  test(`connections that ask nothing do not shut out a probe, ${how}`, async () => {
    await using page = await open(env);
    const port = Number(page.config['admin.listen'].split(':')[1]);
    const sockets = Array.from({ length: 300 }, () => connect(port, '127.0.0.1').on('error', () => {}));
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    for (let i = 0; i < 3; i++) assert.equal((await ask(page.config, '/livez')).status, 200);
    const left = (): number => sockets.filter((socket) => !socket.closed).length;
    for (const socket of sockets) socket.resume();
    while (left() > 60) await new Promise((resolve) => setImmediate(resolve));
    for (const socket of sockets) socket.destroy();
  });
}
