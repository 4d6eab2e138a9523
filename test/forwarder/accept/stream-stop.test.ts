// The end of an input without acks on real sockets: whom it waits for, and what of those that have sent more than it has time for is taken.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { startSyslogInput } from '#forwarder/accept/syslog-input.ts';
import { TlsContext } from '#forwarder/admit/tls.ts';
import { ANYONE } from '#forwarder/principal.ts';
import { ForwarderTelemetry } from '#forwarder/telemetry.ts';
import { systemClock } from '#shared/clock.ts';
import { Metrics } from '#shared/metrics.ts';
import { Authority } from '#test/forwarder/admit/certificates.ts';
import { openDoor } from '#test/forwarder/admit/open-door.ts';
import { FakeIntake } from './fake-intake.ts';

function tlsOf(t: TestContext): TlsContext {
  const authority = new Authority();
  t.after(() => authority[Symbol.dispose]());
  const certificate = authority.issue({ name: 'localhost', alternatives: 'DNS:localhost' });
  const telemetry = { tlsReloaded() {}, tlsReloadFailed() {} };
  const versions = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3' } as const;
  const files = { ...certificate, clientCa: undefined, prefix: 'tls', ciphers: undefined } as const;
  const tls = new TlsContext({ ...files, ...versions }, { clock: systemClock, telemetry });
  t.after(() => tls[Symbol.dispose]());
  return tls;
}

test('a stop does not wait for a peer that never ends its handshake', async (t) => {
  const logged: unknown[] = [];
  const note = (event: string, fields: object = {}) => void logged.push({ event, ...fields });
  const log = { debug: note, info: note, warn: note, error: note };
  const telemetry = new ForwarderTelemetry(new Metrics({ version: '0', command: 'test' }), log);
  const came = Promise.withResolvers<void>();
  const admits = (): boolean => {
    came.resolve();
    return true;
  };
  const server = await startSyslogInput({
    ...{ listen: undefined, tlsListen: '127.0.0.1:0', tls: tlsOf(t) },
    ...{ tag: 'syslog', timeZone: 'UTC', messageBytesMax: 65_536, receiveBufferBytes: 1 << 20, datagramRates: null },
    ...{ door: openDoor({ input: 'syslog', admits }), admit: () => ANYONE },
    ...{ intake: new FakeIntake(), telemetry, clock: systemClock },
  });
  const peer = connect(Number(server.addresses[0]?.split(':').at(-1)), '127.0.0.1');
  const gone = once(peer.on('error', () => undefined).resume(), 'close');
  await came.promise;
  await server.close();
  await gone;
  // By us, not by the time that Node gives it.
  assert.doesNotMatch(JSON.stringify(logged), /timeout/i);
});
