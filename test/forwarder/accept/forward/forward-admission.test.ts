// Who is let in, over real sockets: key, users, networks, certificates, and numbers of connections. Whatever is wrong,
// the peer hears the same, nothing of it is taken, and the operator sees why.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { after, before, describe, test, type TestContext } from 'node:test';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { encode } from '@msgpack/msgpack';
import { startForwardServer } from '#forwarder/accept/forward/forward-server.ts';
import { Admission } from '#forwarder/admit/admission.ts';
import { Credentials } from '#forwarder/admit/credentials.ts';
import { TlsContext, type TlsTelemetry } from '#forwarder/admit/tls.ts';
import type { User } from '#forwarder/admit/users.ts';
import { systemClock } from '#shared/clock.ts';
import type { Tenant } from '#shared/config/tenants.ts';
import { parseNetwork } from '#shared/net/networks.ts';
import { Authority, type Certificate } from '#test/forwarder/admit/certificates.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { FakeIntake } from './fake-intake.ts';
import { forwardOptions, samples } from './forward-options.ts';
import { Answers, digest, type Helo, ping, type PingFacts, SALT } from './handshake-client.ts';

const KEY = 'the key';
const MESSAGE = Buffer.from(encode(['app', 1_700_000_000, { log: 'x' }, { chunk: 'c' }]));
const user = (name: string, facts: Partial<User> = {}): User => ({
  name,
  password: `${name}'s password`,
  tenant: null,
  tagPrefix: null,
  tags: null,
  ...facts,
});
const tenant = (name: string, facts: Partial<Tenant> = {}): Tenant => ({
  name,
  networks: [],
  certificates: [],
  tagPrefix: '',
  bytesPerSecond: null,
  eventsPerSecond: null,
  trustsRecords: false,
  ...facts,
});
const networks = (...texts: string[]) => texts.map((text) => parseNetwork(text)!);

const readPem = (path: string) => readFileSync(path, 'utf8');

async function start(t: TestContext, changes: Parameters<typeof forwardOptions>[1]) {
  const intake = new FakeIntake();
  const options = forwardOptions(intake, changes);
  const server = await startForwardServer('127.0.0.1:0', options);
  t.after(() => server.close());
  const port = Number(server.address.split(':')[1]);
  const open = (): { socket: Socket; answers: Answers } => {
    const socket = connect(port, '127.0.0.1');
    t.after(() => socket.destroy());
    return { socket, answers: new Answers(socket) };
  };
  const failures = () => samples(options.metrics, 'auth_failures_total');
  return { intake, port, open, failures, metrics: options.metrics };
}

const asking = (users: readonly User[] = [], tenants: readonly Tenant[] = [], key: string | undefined = KEY) => ({
  admission: new Admission({ allowed: [], tenants, credentials: new Credentials(key, users) }),
});

test('who knows the key is let in, and hears that we know it too', async (t) => {
  const { intake, open } = await start(t, asking());
  const { socket, answers } = open();
  const helo = await answers.helo();
  assert.equal(helo.nonce.length, 16);
  assert.equal(helo.auth, '');
  assert.equal(helo.keepalive, true);
  // What follows the PING in the same segment belongs to the session.
  socket.write(Buffer.concat([ping(helo, { hostname: 'node-7', key: KEY }), MESSAGE]));
  const expected = digest(SALT, 'sluice-test', helo.nonce, KEY);
  assert.deepEqual(await answers.next(), ['PONG', true, '', 'sluice-test', expected]);
  assert.deepEqual(await answers.next(), { ack: 'c' });
  assert.equal(intake.chunks[0]?.sender, 'node-7');
  assert.equal(intake.chunks[0]?.peerAddress, '127.0.0.1');
});

test('who says that it is called by an address does not pass for who is there', async (t) => {
  const { intake, open } = await start(t, asking());
  for (const hostname of ['10.0.0.5', '::1', 'unix']) {
    const { socket, answers } = open();
    socket.write(Buffer.concat([ping(await answers.helo(), { hostname, key: KEY }), MESSAGE]));
    await answers.next();
    assert.deepEqual(await answers.next(), { ack: 'c' });
    assert.equal(intake.chunks.at(-1)?.sender, `hostname ${hostname}`);
  }
});

test('a PING that comes byte by byte is as good', async (t) => {
  const { open } = await start(t, asking());
  const { socket, answers } = open();
  for (const byte of ping(await answers.helo(), { key: KEY })) socket.write(Buffer.of(byte));
  const pong = await answers.next();
  assert.ok(Array.isArray(pong) && pong[1] === true);
});

describe('a user', () => {
  const users = [user('anna', { tenant: 'acme', tags: ['acme.a.*'] }), user('bert', { tagPrefix: 'b.' })];
  const tenants = [tenant('acme', { tagPrefix: 'acme.' })];

  async function send(t: TestContext, facts: PingFacts, tag: string) {
    const { intake, open } = await start(t, asking(users, tenants));
    const { socket, answers } = open();
    socket.write(ping(await answers.helo(), { key: KEY, ...facts }));
    const pong = await answers.next();
    assert.ok(Array.isArray(pong) && pong[1] === true, JSON.stringify(pong));
    socket.write(Buffer.from(encode([tag, 1_700_000_000, { log: 'x' }, { chunk: 'c' }])));
    return { answer: await answers.next(), chunk: intake.chunks[0] };
  }

  test('speaks for a tenant, under its prefix', async (t) => {
    const { answer, chunk } = await send(t, { user: 'anna', password: "anna's password" }, 'a.web');
    assert.deepEqual(answer, { ack: 'c' });
    assert.equal(chunk?.tenant, 'acme');
    assert.equal(chunk?.tag, 'acme.a.web');
  });
  test('may use no other tags', async (t) => {
    const { answer, chunk } = await send(t, { user: 'anna', password: "anna's password" }, 'b.web');
    assert.equal(answer, null);
    assert.equal(chunk, undefined);
  });
  test('may have a prefix and no tenant', async (t) => {
    const { chunk } = await send(t, { user: 'bert', password: "bert's password" }, 'web');
    assert.equal(chunk?.tenant, null);
    assert.equal(chunk?.tag, 'b.web');
  });
});

describe('whatever is wrong', () => {
  const refused = ['PONG', false, 'the shared key, the user or the password is wrong', '', ''];
  const check = (what: string, reason: string, bytes: (helo: Helo) => Buffer) => {
    test(what, async (t) => {
      const { intake, open, failures } = await start(t, asking([user('anna')]));
      const { socket, answers } = open();
      socket.write(Buffer.concat([bytes(await answers.helo()), MESSAGE]));
      assert.deepEqual(await answers.next(), refused, 'the same answer for all');
      assert.equal(await answers.next(), null, 'and the connection is closed');
      assert.equal(intake.chunks.length, 0);
      assert.deepEqual(await failures(), { [`{input="forward",reason="${reason}"}`]: 1 });
    });
  };
  const right = { key: KEY, user: 'anna', password: "anna's password" };
  check('the key', 'shared_key_wrong', (helo) => ping(helo, { ...right, key: 'another' }));
  check('no key', 'shared_key_wrong', (helo) => ping(helo, { ...right, key: '' }));
  check('the user', 'user_wrong', (helo) => ping(helo, { ...right, user: 'eve' }));
  check('no user', 'user_wrong', (helo) => ping(helo, { key: KEY }));
  check('the password', 'user_wrong', (helo) => ping(helo, { ...right, password: 'eve' }));
  check('the password of nobody', 'user_wrong', (helo) => ping(helo, { key: KEY, user: '', password: '' }));
  check('a nonce of before', 'shared_key_wrong', (helo) => ping({ ...helo, nonce: Buffer.alloc(16) }, right));
  check('a frame that is no PING', 'handshake_malformed', () => MESSAGE);
  check('five elements', 'handshake_malformed', () => Buffer.from(encode(['PING', 'h', 's', 'd', 'u'])));
  check('no hostname', 'handshake_malformed', (helo) => ping(helo, { ...right, hostname: '' }));
  check('a hostname that is no text', 'handshake_malformed', () =>
    Buffer.from(encode(['PING', Buffer.of(0xff), 's', 'd', 'u', 'p'])),
  );
  check('JSON', 'handshake_malformed', () => Buffer.from('{"log":"x"}'));
  check('a frame larger than a PING may be', 'handshake_malformed', () => Buffer.from('95c600002000', 'hex'));
  check('deep nesting', 'handshake_malformed', () => Buffer.alloc(4000, 0x91));
});

test('a PING that was heard on one connection opens no other', async (t) => {
  const { open, failures } = await start(t, asking());
  const first = open();
  const heard = ping(await first.answers.helo(), { key: KEY });
  first.socket.write(heard);
  assert.ok(((await first.answers.next()) as unknown[])[1]);
  const second = open();
  await second.answers.helo();
  second.socket.write(heard);
  assert.equal(((await second.answers.next()) as unknown[])[1], false);
  assert.deepEqual(await failures(), { '{input="forward",reason="shared_key_wrong"}': 1 });
});

test('who says nothing is closed in time', async (t) => {
  const clock = new VirtualClock();
  const { open, failures } = await start(t, { ...asking(), clock, handshakeTimeoutMs: 5000 });
  const { answers } = open();
  await answers.helo();
  await clock.advance(4999);
  assert.deepEqual(await failures(), {});
  await clock.advance(1);
  assert.equal(await answers.next(), null);
  assert.deepEqual(await failures(), { '{input="forward",reason="handshake_timeout"}': 1 });
});

test('users without a key are asked with an empty one', async (t) => {
  const { open } = await start(t, {
    admission: new Admission({ allowed: [], tenants: [], credentials: new Credentials(undefined, [user('anna')]) }),
  });
  const { socket, answers } = open();
  socket.write(ping(await answers.helo(), { user: 'anna', password: "anna's password" }));
  assert.ok(((await answers.next()) as unknown[])[1]);
});

test('a network that may not connect is not read', async (t) => {
  const { intake, open, failures } = await start(t, {
    admission: new Admission({ allowed: networks('10.0.0.0/8', '::1'), tenants: [], credentials: null }),
  });
  const { socket, answers } = open();
  socket.write(MESSAGE);
  assert.equal(await answers.next(), null);
  assert.equal(intake.chunks.length, 0);
  assert.deepEqual(await failures(), { '{input="forward",reason="network_refused"}': 1 });
});

test('the smallest network tells the tenant', async (t) => {
  const tenants = [
    tenant('all', { networks: networks('0.0.0.0/0') }),
    tenant('here', { networks: networks('127.0.0.1'), tagPrefix: 'here.' }),
    tenant('near', { networks: networks('127.0.0.0/8') }),
  ];
  const { intake, open } = await start(t, { admission: new Admission({ allowed: [], tenants, credentials: null }) });
  const { socket, answers } = open();
  socket.write(MESSAGE);
  assert.deepEqual(await answers.next(), { ack: 'c' });
  assert.equal(intake.chunks[0]?.tenant, 'here');
  assert.equal(intake.chunks[0]?.tag, 'here.app');
});

for (const [what, limits] of [
  ['of the input', { max: 2 }],
  ['of one address', { max: 3, perAddressMax: 2 }],
  ['of all inputs', { max: 3, perAddressMax: 3, allMax: 2 }],
] as const) {
  test(`no more connections than the limit ${what}`, async (t) => {
    const { open, metrics } = await start(t, { limits });
    const [one, two] = [open(), open()];
    for (const { socket, answers } of [one, two]) {
      socket.write(MESSAGE);
      assert.deepEqual(await answers.next(), { ack: 'c' });
    }
    assert.equal(await open().answers.next(), null);
    assert.deepEqual(await samples(metrics, 'connections_closed_total'), { '{input="forward",reason="too_many"}': 1 });
    one.socket.end();
    assert.equal(await one.answers.next(), null);
    const again = open();
    again.socket.write(MESSAGE);
    assert.deepEqual(await again.answers.next(), { ack: 'c' });
  });
}

describe('TLS', () => {
  let authority: Authority;
  let server: Certificate;
  before(() => {
    authority = new Authority();
    server = authority.issue({ name: 'localhost', alternatives: 'DNS:localhost' });
  });
  after(() => authority[Symbol.dispose]());

  const QUIET: TlsTelemetry = { tlsReloaded() {}, tlsReloadFailed() {} };
  const context = (t: TestContext, clientCa?: string) => {
    const tls = new TlsContext(
      { ...server, clientCa, prefix: 'tls', minVersion: 'TLSv1.2', ciphers: undefined, maxVersion: 'TLSv1.3' },
      { clock: systemClock, telemetry: QUIET },
    );
    t.after(() => tls[Symbol.dispose]());
    return tls;
  };
  const open = (t: TestContext, port: number, options: ConnectionOptions & { allowHalfOpen?: boolean } = {}) => {
    const socket: TLSSocket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
    t.after(() => socket.destroy());
    return { socket, answers: new Answers(socket) };
  };
  const showing = ({ cert, key }: Certificate) => ({ cert: readPem(cert), key: readPem(key) });

  test('carries a session, with the handshake in it', async (t) => {
    const { port, intake } = await start(t, { ...asking(), tls: context(t) });
    const { socket, answers } = open(t, port);
    socket.write(ping(await answers.helo(), { hostname: 'tls-node', key: KEY }));
    assert.ok(((await answers.next()) as unknown[])[1]);
    socket.write(MESSAGE);
    assert.deepEqual(await answers.next(), { ack: 'c' });
    assert.equal(intake.chunks[0]?.sender, 'tls-node');
  });

  test('a sender that stops sending hears its last acks', async (t) => {
    const { port } = await start(t, { tls: context(t) });
    const { socket, answers } = open(t, port, { allowHalfOpen: true });
    socket.end(MESSAGE);
    assert.deepEqual(await answers.next(), { ack: 'c' });
  });

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    test(`${version} is spoken`, async (t) => {
      const { port } = await start(t, { tls: context(t) });
      const { socket } = open(t, port, { minVersion: version, maxVersion: version });
      await once(socket, 'secureConnect');
      assert.equal(socket.getProtocol(), version);
    });
    test(`a certificate tells the tenant, ${version}`, async (t) => {
      const tenants = [tenant('acme', { certificates: ['*.acme.example'] })];
      const admission = new Admission({ allowed: [], tenants, credentials: null });
      const { port, intake } = await start(t, { admission, tls: context(t, authority.certificate.cert) });
      const client = authority.issue({ name: 'node', alternatives: 'DNS:other,DNS:node-1.acme.example' });
      const { socket, answers } = open(t, port, { ...showing(client), minVersion: version, maxVersion: version });
      socket.write(MESSAGE);
      assert.deepEqual(await answers.next(), { ack: 'c' });
      assert.equal(intake.chunks[0]?.tenant, 'acme');
    });
  }

  test('an older version is not', async (t) => {
    const { port, failures } = await start(t, { tls: context(t) });
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    assert.equal(await open(t, port, old).answers.next(), null);
    assert.deepEqual(await failures(), { '{input="forward",reason="tls_failed"}': 1 });
  });

  test('plain text is not read', async (t) => {
    const { port, intake, failures } = await start(t, { tls: context(t) });
    const socket = connect(port, '127.0.0.1');
    const answers = new Answers(socket);
    socket.write(MESSAGE);
    while ((await answers.next()) !== null);
    assert.equal(intake.chunks.length, 0);
    assert.deepEqual(await failures(), { '{input="forward",reason="tls_failed"}': 1 });
  });

  const others = new Authority();
  after(() => others[Symbol.dispose]());
  const wrong: Record<string, () => ConnectionOptions> = {
    'no certificate': () => ({}),
    'a certificate of another authority': () => showing(others.issue({ name: 'node-1.acme.example' })),
    'an expired certificate': () => showing(authority.issue({ name: 'node-1.acme.example', days: -1 })),
  };
  for (const [what, options] of Object.entries(wrong)) {
    test(`${what} is refused, and nothing is read`, async (t) => {
      const { port, intake, failures } = await start(t, { tls: context(t, authority.certificate.cert) });
      const { socket, answers } = open(t, port, options());
      socket.write(MESSAGE);
      assert.equal(await answers.next(), null);
      assert.equal(intake.chunks.length, 0);
      const counted = await failures();
      assert.deepEqual(Object.values(counted), [1]);
      assert.match(Object.keys(counted)[0] ?? '', /certificate_refused|tls_failed/);
    });
  }

  test('a new certificate is shown from then on; files that make none change nothing', async (t) => {
    const clock = new VirtualClock();
    const heard: string[] = [];
    const telemetry: TlsTelemetry = {
      tlsReloaded: () => heard.push('reloaded'),
      tlsReloadFailed: (error) => heard.push(String(error)),
    };
    const files = { cert: `${authority.folder}/shown.pem`, key: `${authority.folder}/shown.key` };
    const show = (certificate: Certificate) => {
      copyFileSync(certificate.cert, files.cert);
      copyFileSync(certificate.key, files.key);
    };
    show(server);
    const tls = new TlsContext(
      {
        ...files,
        clientCa: undefined,
        prefix: 'tls',
        minVersion: 'TLSv1.2',
        ciphers: undefined,
        maxVersion: 'TLSv1.3',
      },
      { clock, telemetry },
    );
    t.after(() => tls[Symbol.dispose]());
    const { port } = await start(t, { tls });
    const nameShown = async () => {
      const { socket } = open(t, port);
      await once(socket, 'secureConnect');
      return { socket, name: socket.getPeerCertificate().subject.CN };
    };
    const before = await nameShown();
    assert.equal(before.name, 'localhost');

    writeFileSync(files.cert, 'garbage');
    await clock.advance(5000);
    assert.equal((await nameShown()).name, 'localhost');
    assert.match(heard.join(), /^SluiceError: Cannot speak TLS/);

    show(authority.issue({ name: 'renewed' }));
    await clock.advance(5000);
    assert.equal((await nameShown()).name, 'renewed');
    assert.equal(heard.at(-1), 'reloaded');
    const answers = new Answers(before.socket);
    before.socket.write(MESSAGE);
    assert.deepEqual(await answers.next(), { ack: 'c' }, 'the connection of before goes on');
  });
});
