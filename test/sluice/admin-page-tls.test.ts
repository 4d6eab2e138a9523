// The operators' page by TLS: its certificate, how Sluice's own commands know it, and client certificates in place of
// tokens.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import { Authority } from '#test/forwarder/admit/certificates.ts';
import { askAdmin } from '../../services/sluice/admin/ask.ts';
import { run as health } from '../../services/sluice/commands/health.ts';
import { ask, authority, bearer, open, post, tls, TOKEN } from './admin-page.ts';
import { Page } from './command-runner.ts';

after(() => authority[Symbol.dispose]());
const other = authority.issue({ name: 'some.name', alternatives: 'DNS:some.name' });
const expired = authority.issue({ name: 'some.name', days: -1 });
const operator = authority.issue({ name: 'ops' });

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
