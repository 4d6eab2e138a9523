// The end of an input without acks on real sockets: whom it waits for, and what of those that have sent more than it
// has time for is taken.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { ReadEntries } from '#forwarder/accept/unacked/read-entries.ts';
import type { StreamDecoder } from '#forwarder/accept/unacked/stream-decoder.ts';
import { startStreamServer } from '#forwarder/accept/unacked/stream-server.ts';
import { startSyslogInput } from '#forwarder/accept/syslog/syslog-input.ts';
import { Unacked } from '#forwarder/accept/unacked/unacked-retry.ts';
import { TlsContext } from '#forwarder/admit/tls.ts';
import { ANYONE } from '#forwarder/intake/principal.ts';
import { ForwarderTelemetry } from '#forwarder/intake/telemetry.ts';
import { systemClock } from '#shared/clock.ts';
import { Metrics } from '#shared/metrics.ts';
import { Authority } from '#test/forwarder/admit/certificates.ts';
import { openDoor } from '#test/forwarder/admit/open-door.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { FakeIntake } from '../forward/fake-intake.ts';

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

function listening() {
  const logged: Record<string, unknown>[] = [];
  const note = (event: string, fields: object = {}) => void logged.push({ event, ...fields });
  const log = { debug: note, info: note, warn: note, error: note };
  return { logged, telemetry: new ForwarderTelemetry(new Metrics({ version: '0', command: 'test' }), log) };
}

test('a stop does not wait for a peer that never ends its handshake', async (t) => {
  const { logged, telemetry } = listening();
  const came = Promise.withResolvers<void>();
  const admits = (): boolean => {
    came.resolve();
    return true;
  };
  const server = await startSyslogInput({
    listen: undefined,
    tlsListen: '127.0.0.1:0',
    tls: tlsOf(t),
    tag: 'syslog',
    timeZone: 'UTC',
    messageBytesMax: 65_536,
    receiveBufferBytes: 1 << 20,
    datagramRates: null,
    door: openDoor({ input: 'syslog', admits }),
    admit: () => ANYONE,
    intake: new FakeIntake(),
    telemetry,
    clock: systemClock,
  });
  const peer = connect(Number(server.addresses[0]?.split(':').at(-1)), '127.0.0.1');
  const gone = once(peer.on('error', () => undefined).resume(), 'close');
  await came.promise;
  await server.close();
  await gone;
  // By us, not by the time that Node gives it.
  assert.doesNotMatch(JSON.stringify(logged), /timeout/i);
});

/** What it takes never ends: a thread that is busy for hours. An event of each read comes before it. */
class StuckDecoder implements StreamDecoder {
  readonly converting = new Promise<void>(() => undefined);
  readonly hasRoom = true;
  heldBytes = 0;
  readonly #pushed: () => void;

  constructor(pushed: () => void) {
    this.#pushed = pushed;
  }

  get memoryBytes(): number {
    return this.heldBytes;
  }

  room(): Promise<void> {
    return Promise.resolve();
  }

  push(piece: Buffer): void {
    this.heldBytes += piece.length;
    this.#pushed();
  }

  read(run: ReadEntries): boolean {
    run.writer.string('taken');
    run.count += 1;
    return false;
  }

  relieve(): boolean {
    return true;
  }

  finish(): void {}
}

const KIB = 1024;

/** A server, and so many connections that have sent so much each: a read of it comes in any case. */
async function crowded(t: TestContext, connections: number, bytes: number) {
  const clock = new VirtualClock();
  const [intake, { logged, telemetry }] = [new FakeIntake(), listening()];
  const decoders: StuckDecoder[] = [];
  const pushed = Promise.withResolvers<void>();
  const newDecoder = (): StuckDecoder => {
    const decoder = new StuckDecoder(pushed.resolve);
    decoders.push(decoder);
    return decoder;
  };
  const door = openDoor({ input: 'gelf' });
  const enter = door.enter.bind(door);
  const sockets: Socket[] = [];
  door.enter = (socket, listensOn) => {
    sockets.push(socket);
    return enter(socket, listensOn);
  };
  const server = await startStreamServer(
    { kind: 'tcp', host: '127.0.0.1', port: 0 },
    {
      input: 'gelf',
      tag: 'gelf',
      door,
      admit: () => ANYONE,
      newDecoder,
      turnBytesMax: 1024 * KIB,
      unacked: new Unacked({ intake, telemetry, clock }),
      telemetry,
      clock,
      tls: null,
    },
  );
  assert(server.address.kind === 'tcp');
  const { port } = server.address;
  const peers = Array.from({ length: connections }, () => connect(port, '127.0.0.1'));
  t.after(() => peers.forEach((peer) => peer.destroy()));
  for (const peer of peers) peer.on('error', () => undefined).write(Buffer.alloc(bytes, 'x'));
  await pushed.promise;
  while (decoders.length < connections) await new Promise(setImmediate);
  const held = (): number => decoders.reduce((sum, { heldBytes }) => sum + heldBytes, 0);
  return { clock, intake, logged, server, held, peers, sockets };
}

test('a stop has a time: what was converted is handed on, what was read besides is counted as dropped', async (t) => {
  const { clock, intake, logged, server, held } = await crowded(t, 2, 1000);
  while (held() < 2000) await new Promise(setImmediate);
  const closed = server.close();
  const drops = () => logged.filter(({ event }) => event === 'events_dropped');
  await clock.advance(4999);
  assert.deepEqual(drops(), []);
  await clock.advance(1);
  await closed;
  assert.equal(
    intake.chunks.reduce((sum, { count }) => sum + count, 0),
    2,
  );
  const dropped = { input: 'gelf', events: 2, bytes: 2000, reason: 'shutting_down' };
  assert.deepEqual(drops(), [{ event: 'events_dropped', ...dropped }]);
});

test('a stop reads no more than others leave free', async (t) => {
  const { clock, server, held } = await crowded(t, 300, 100 * KIB);
  const closed = server.close();
  await clock.advance(5000);
  await closed;
  // A half of 8 MiB, and a read.
  assert.ok(held() <= 4.2 * KIB * KIB, `${held()} bytes`);
});

test('of a connection that is not read Node keeps a read at most', async (t) => {
  const { clock, server, held, peers, sockets } = await crowded(t, 1, 1000);
  const [[peer], [socket]] = [peers, sockets];
  assert(peer && socket);
  while (held() < 1000) await new Promise(setImmediate);
  peer.write(Buffer.alloc(40_000, 'x'));
  while (socket.readableLength === 0) await new Promise(setImmediate);
  peer.write(Buffer.alloc(1024 * KIB, 'x'));
  for (let i = 0; i < 50; i += 1) await new Promise(setImmediate);
  assert.ok(socket.readableLength <= 64 * KIB, `${socket.readableLength} bytes`);
  const closed = server.close();
  await clock.advance(5000);
  await closed;
});
