// TLS of the Forward input, over real sockets: sessions, versions, certificates, and a certificate that changes.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { after, before, describe, test, type TestContext } from 'node:test';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { Admission } from '#forwarder/admit/admission.ts';
import { TlsContext, type TlsTelemetry } from '#forwarder/admit/tls.ts';
import { systemClock } from '#shared/clock.ts';
import { Authority, type Certificate } from '#test/forwarder/admit/certificates.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { Answers, ping } from './handshake-client.ts';
import { tenantOf } from '#test/forwarder/admit/tenant-of.ts';
import { asking, KEY, MESSAGE, start } from './admission-fixture.ts';

const readPem = (path: string) => readFileSync(path, 'utf8');

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
      const tenants = [tenantOf('acme', { certificates: ['*.acme.example'] })];
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
    await clock.advance(5500);
    assert.equal((await nameShown()).name, 'localhost');
    assert.match(heard.join(), /^SluiceError: Cannot speak TLS/);

    show(authority.issue({ name: 'renewed' }));
    await clock.advance(5500);
    assert.equal((await nameShown()).name, 'renewed');
    assert.equal(heard.at(-1), 'reloaded');
    const answers = new Answers(before.socket);
    before.socket.write(MESSAGE);
    assert.deepEqual(await answers.next(), { ack: 'c' }, 'the connection of before goes on');
  });
});
