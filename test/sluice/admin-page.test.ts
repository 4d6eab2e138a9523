// The operators' page as services start it: tokens, networks, rates and connections.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { VirtualClock } from '#test/memory/clock.ts';
import { ask, authority, bearer, open, post, tls, TOKEN } from './admin-page.ts';

after(() => authority[Symbol.dispose]());

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

test('on loopback without a token, no page in a browser reads by a name that is bound to our address', async () => {
  await using page = await open({});
  const { config, lines } = page;
  const port = config['admin.listen'].split(':').at(-1);
  for (const host of ['evil.example', `evil.example:${port}`, 'localhost.evil.example', '127.0.0.1.evil.example']) {
    for (const path of ['/metrics', '/', '/nothing'])
      assert.equal((await ask(config, path, { headers: { host } })).status, 403, `${host} ${path}`);
    const ready = await ask(config, '/readyz', { headers: { host } });
    assert.equal(ready.status, 503);
    assert.doesNotMatch(ready.body, /broker-7/);
    assert.equal((await ask(config, '/livez', { headers: { host } })).status, 200);
    assert.equal((await ask(config, '/do', post({ host }))).status, 403);
  }
  assert(lines.some(({ event, reason }) => event === 'access_refused' && reason === 'origin_refused'));
  for (const host of [`localhost:${port}`, 'localhost', '127.0.0.1', `[::1]:${port}`, '192.0.2.7'])
    assert.equal((await ask(config, '/metrics', { headers: { host } })).status, 200, host);
});

test('by any name where a token is asked for, or other machines can ask', async () => {
  const headers = { host: 'sluice.monitoring.svc:24231' };
  await using guarded = await open({ SLUICE_ADMIN_TOKEN: TOKEN });
  const shown = { headers: { ...headers, ...bearer(TOKEN).headers } };
  assert.equal((await ask(guarded.config, '/metrics', shown)).status, 200);
  await using everywhere = await open({ SLUICE_ADMIN_LISTEN: '0.0.0.0:0', SLUICE_INSECURE: 'admin' });
  assert.equal((await ask(everywhere.config, '/metrics', { headers })).status, 200);
});

test('what is answered before the rate of its address is asked ends its connection', async () => {
  await using page = await open({});
  using agent = Object.assign(new Agent({ keepAlive: true }), { [Symbol.dispose]: () => agent.destroy() });
  const answer = async (path: string, headers = {}) => {
    const { status, headers: told } = await ask(page.config, path, { agent, headers });
    return [status, told.connection];
  };
  assert.deepEqual(await answer('/livez'), [200, 'keep-alive']);
  assert.deepEqual(await answer('/%zz'), [400, 'close']);
  assert.deepEqual(await answer('/livez', { expect: 'miracles' }), [417, 'close']);
});
