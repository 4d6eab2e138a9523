// HTTP by TLS, from networks, for tenants and within their rates, over real sockets.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Agent, request, type RequestOptions } from 'node:https';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { after, describe, test, type TestContext } from 'node:test';
import { type HttpListenOptions, type HttpServerOptions, startHttpServer } from '#forwarder/accept/http/http-server.ts';
import { Admission } from '#forwarder/admit/admission.ts';
import { TlsContext } from '#forwarder/admit/tls.ts';
import { systemClock } from '#shared/clock.ts';
import type { Tenant } from '#shared/config/tenants.ts';
import { parseNetwork } from '#shared/net/networks.ts';
import { Authority, type Certificate } from '#test/forwarder/admit/certificates.ts';
import { openDoor } from '#test/forwarder/admit/open-door.ts';
import { tenantOf } from '#test/forwarder/admit/tenant-of.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { FakeIntake } from '../forward/fake-intake.ts';
import { openHttp } from './http-fixture.ts';

const JSON_BODY = { 'content-type': 'application/json' };

async function start(t: TestContext, admission: Admission, changes: Partial<HttpListenOptions> = {}) {
  const intake = new FakeIntake();
  const failures: string[] = [];
  const telemetry: HttpServerOptions['telemetry'] = {
    connectionOpened() {},
    connectionClosed() {},
    connectionEnded() {},
    chunkRejected() {},
    authFailed: (_input, reason) => failures.push(reason),
  };
  const refusals = { authFailed: telemetry.authFailed, connectionEnded() {} };
  const server = await startHttpServer('127.0.0.1:0', {
    intake,
    telemetry,
    bodyBytesMax: 100_000,
    ...openHttp(),
    door: openDoor({ input: 'http', admits: (address) => admission.admits(address), telemetry: refusals }),
    principalOf: (peer) => admission.principalOf(peer, null),
    ...changes,
  });
  let closed: Promise<void> | null = null;
  const close = (): Promise<void> => (closed ??= server.close());
  t.after(close);
  return { intake, failures, server: { close }, address: server.address };
}

const admissionOf = (tenants: readonly Tenant[], ...allowed: string[]) =>
  new Admission({ tenants, credentials: null, allowed: allowed.map((text) => parseNetwork(text)!) });

test('a network that may not connect is not read', async (t) => {
  const { intake, failures, address } = await start(t, admissionOf([], '10.0.0.0/8'));
  await assert.rejects(fetch(`http://${address}/app`, { method: 'POST', body: '{"a":1}', headers: JSON_BODY }));
  assert.equal(intake.chunks.length, 0);
  assert.deepEqual(failures, ['network_refused']);
});

test('the network tells the tenant and its prefix', async (t) => {
  const acme = tenantOf('acme', { networks: [parseNetwork('127.0.0.0/8')!], tagPrefix: 'acme.' });
  const { intake, address } = await start(t, admissionOf([acme]));
  const answer = await fetch(`http://${address}/app`, { method: 'POST', body: '{"a":1}', headers: JSON_BODY });
  assert.equal(answer.status, 200);
  assert.equal(intake.chunks[0]?.tenant, 'acme');
  assert.equal(intake.chunks[0]?.tag, 'acme.app');
});

test('who sends more than the rate hears 429, and when to come again', async (t) => {
  const room = { rateWaitMs: 5 };
  const { intake, address } = await start(t, admissionOf([]), { roomOf: () => room });
  const post = () => fetch(`http://${address}/app`, { method: 'POST', body: '{"a":1}', headers: JSON_BODY });
  const refused = await post();
  assert.equal(refused.status, 429);
  assert.ok(Number(refused.headers.get('retry-after')) > 0);
  assert.match(await refused.text(), /rate_limited/);
  room.rateWaitMs = 0;
  assert.equal((await post()).status, 200);
  assert.equal(intake.chunks.length, 1);
});

describe('by TLS', () => {
  const authority = new Authority();
  after(() => authority[Symbol.dispose]());
  const server = authority.issue({ name: 'localhost', alternatives: 'DNS:localhost' });
  const showing = ({ cert, key }: Certificate) => ({ cert: readFileSync(cert), key: readFileSync(key) });
  const context = (t: TestContext, clientCa?: string) => {
    const telemetry = { tlsReloaded() {}, tlsReloadFailed() {} };
    const tls = new TlsContext(
      { ...server, clientCa, prefix: 'tls', minVersion: 'TLSv1.2', ciphers: undefined, maxVersion: 'TLSv1.3' },
      { clock: systemClock, telemetry },
    );
    t.after(() => tls[Symbol.dispose]());
    return tls;
  };

  async function post(address: string, options: RequestOptions & { readonly agent?: Agent } = {}): Promise<number> {
    const [host = '', port] = address.split(':');
    const sent = request({
      host,
      port,
      path: '/app',
      method: 'POST',
      rejectUnauthorized: false,
      headers: JSON_BODY,
      ...options,
    });
    sent.end('{"a":1}');
    const [answer] = (await once(sent, 'response')) as [{ statusCode: number; resume(): void }];
    answer.resume();
    return answer.statusCode;
  }

  test('a request is taken', async (t) => {
    const { intake, address } = await start(t, admissionOf([]), { tls: context(t) });
    assert.equal(await post(address), 200);
    assert.equal(intake.chunks[0]?.sender, '127.0.0.1');
  });

  test('a certificate tells the tenant', async (t) => {
    const admission = admissionOf([tenantOf('acme', { certificates: ['node-*'] })]);
    const { intake, address } = await start(t, admission, { tls: context(t, authority.certificate.cert) });
    assert.equal(await post(address, showing(authority.issue({ name: 'node-7' }))), 200);
    assert.equal(intake.chunks[0]?.tenant, 'acme');
  });

  test('without a certificate nothing is read', async (t) => {
    const tls = context(t, authority.certificate.cert);
    const { intake, failures, address } = await start(t, admissionOf([]), { tls });
    await assert.rejects(post(address));
    assert.equal(intake.chunks.length, 0);
    assert.match(failures.join(), /^(certificate_refused|tls_failed)$/);
  });

  test('a request in the clear is not answered in the clear', async (t) => {
    const { intake, failures, address } = await start(t, admissionOf([]), { tls: context(t) });
    const [host, port] = address.split(':');
    const socket = connect(Number(port), host);
    socket.on('error', () => undefined).resume();
    let said = '';
    socket.on('data', (piece: Buffer) => (said += piece.toString('latin1')));
    const closed = new Promise((resolve) => socket.on('close', resolve));
    socket.write('POST /app HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n{"a":1}');
    await closed;
    assert.doesNotMatch(said, /HTTP/);
    assert.equal(intake.chunks.length, 0);
    assert.deepEqual(failures, ['tls_failed']);
  });

  /** A server whose clock never gives up, and a peer that it has accepted, and that has said nothing. */
  async function withSilentPeer(t: TestContext) {
    const came = Promise.withResolvers<void>();
    const admits = (): boolean => {
      came.resolve();
      return true;
    };
    const limits = { headersTimeoutMs: 3_600_000 };
    const door = openDoor({ input: 'http', admits });
    const { intake, server, address } = await start(t, admissionOf([]), {
      tls: context(t),
      clock: new VirtualClock(),
      limits,
      door,
    });
    const [host = '', port] = address.split(':');
    const peer: Socket = connect(Number(port), host);
    peer.on('error', () => undefined);
    await came.promise;
    return { intake, server, address, peer };
  }

  test('a stop does not wait for a peer that never ends its handshake', async (t) => {
    const { server, peer } = await withSilentPeer(t);
    const gone = once(peer.resume(), 'close');
    await server.close();
    await gone;
  });

  test('who ends its handshake while we stop is closed, and a request in hand has its answer', async (t) => {
    const { intake, server, address, peer } = await withSilentPeer(t);
    intake.hold();
    const answer = post(address);
    await intake.arrived(1);
    const closed = server.close();
    const late = connectTls({ socket: peer, rejectUnauthorized: false });
    late.on('error', () => undefined);
    await once(late.resume(), 'close');
    intake.release();
    assert.equal(await answer, 200);
    await closed;
  });
});
