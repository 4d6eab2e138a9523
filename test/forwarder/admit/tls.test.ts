// Which version of TLS an input speaks: one whose senders never read must not be sent anything after the handshake.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { appendFileSync, readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { after, suite, test } from 'node:test';
import { type SecureVersion, connect, createServer } from 'node:tls';
import { type Senders, TlsContext } from '#forwarder/admit/tls.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { Authority } from './certificates.ts';

const authority = new Authority();
after(() => authority[Symbol.dispose]());
const certificate = authority.issue({ name: 'localhost', alternatives: 'DNS:localhost' });

async function versionSpoken(port: number): Promise<string | null> {
  const socket = connect({
    port,
    host: '127.0.0.1',
    ca: readFileSync(authority.certificate.cert),
    servername: 'localhost',
  });
  await once(socket, 'secureConnect');
  const version = socket.getProtocol();
  socket.destroy();
  return version;
}

suite('the newest version of TLS', () => {
  const cases: [senders: Senders, configured: SecureVersion | undefined, spoken: SecureVersion][] = [
    ['reads', undefined, 'TLSv1.3'],
    ['only_writes', undefined, 'TLSv1.2'],
    ['reads', 'TLSv1.2', 'TLSv1.2'],
    ['only_writes', 'TLSv1.3', 'TLSv1.3'],
  ];
  for (const [senders, maxVersion, spoken] of cases) {
    test(`senders: ${senders}, configured: ${maxVersion ?? 'nothing'}, also after a renewal`, async (t) => {
      const clock = new VirtualClock();
      let reloads = 0;
      const telemetry = { tlsReloaded: () => void reloads++, tlsReloadFailed: assert.ifError };
      using tls = new TlsContext(
        { ...certificate, clientCa: undefined, prefix: 'tls', minVersion: 'TLSv1.2', ciphers: undefined, maxVersion },
        { clock, telemetry },
      );
      const server = createServer(tls.options(senders), (socket) => socket.on('error', () => undefined).resume());
      tls.follow(server, senders);
      t.after(() => server.close());
      await once(server.listen(0, '127.0.0.1'), 'listening');
      const { port } = server.address() as AddressInfo;
      assert.equal(await versionSpoken(port), spoken);
      appendFileSync(certificate.cert, '\n');
      await clock.advance(5500);
      assert.equal(reloads, 1);
      assert.equal(await versionSpoken(port), spoken);
    });
  }
});

test('the oldest version, and the ciphers, are the operator’s', async (t) => {
  const telemetry = { tlsReloaded() {}, tlsReloadFailed: assert.ifError };
  const settings = {
    ...certificate,
    clientCa: undefined,
    prefix: 'tls',
    minVersion: 'TLSv1.3',
    maxVersion: undefined,
  } as const;
  using tls = new TlsContext(
    { ...settings, ciphers: 'TLS_AES_256_GCM_SHA384' },
    { clock: new VirtualClock(), telemetry },
  );
  for (const senders of ['reads', 'only_writes'] as const) {
    const server = createServer(tls.options(senders), (socket) => socket.on('error', () => undefined).resume());
    t.after(() => server.close());
    server.on('tlsClientError', () => undefined);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    assert.equal(await versionSpoken(port), 'TLSv1.3');
    const old = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, maxVersion: 'TLSv1.2' });
    await assert.rejects(once(old, 'secureConnect'));
    const other = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ciphers: 'TLS_AES_128_GCM_SHA256' });
    await assert.rejects(once(other, 'secureConnect'));
  }
  const none = { ...settings, ciphers: 'no such cipher' };
  assert.throws(() => new TlsContext(none, { clock: new VirtualClock(), telemetry }), { code: 'config_invalid' });
});
