// Who is let in, over real sockets: key, users, networks, and numbers of connections. Whatever is wrong, the peer hears
// the same, nothing of it is taken, and the operator sees why.

import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { Admission } from '#forwarder/admit/admission.ts';
import { Credentials } from '#forwarder/admit/credentials.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { samples } from './forward-options.ts';
import { digest, type Helo, ping, type PingFacts, SALT } from './handshake-client.ts';
import { tenantOf } from '#test/forwarder/admit/tenant-of.ts';
import { KEY, MESSAGE, user, networks, start, asking } from './admission-fixture.ts';

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
  const tenants = [tenantOf('acme', { tagPrefix: 'acme.' })];

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
    tenantOf('all', { networks: networks('0.0.0.0/0') }),
    tenantOf('here', { networks: networks('127.0.0.1'), tagPrefix: 'here.' }),
    tenantOf('near', { networks: networks('127.0.0.0/8') }),
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
