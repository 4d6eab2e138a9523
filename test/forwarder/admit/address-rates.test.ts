// What one address may bring: at the door, by HTTP, by Forward and by syslog. Whoever brings more waits, or hears so,
// and loses nothing.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { startForwardServer } from '#forwarder/accept/forward/forward-server.ts';
import { type AddressLimits, AddressRates, exemptNetworks, ratedRoom } from '#forwarder/admit/address-rates.ts';
import { type Clock, systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import { NetworkSet } from '#shared/net/networks.ts';
import { FakeIntake } from '#test/forwarder/accept/forward/fake-intake.ts';
import { forwardOptions } from '#test/forwarder/accept/forward/forward-options.ts';
import { Answers } from '#test/forwarder/accept/forward/handshake-client.ts';
import { Fixture } from '#test/forwarder/accept/http/http-fixture.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { openDoor } from './open-door.ts';
import { startSyslog } from './syslog-fixture.ts';

const NONE: AddressLimits = { connections: 0, requests: 0, bytes: 0 };

function ratesOf(limits: Partial<AddressLimits>, clock: Clock = systemClock, exempt = new NetworkSet([])) {
  const throttled: string[] = [];
  const rates = new AddressRates({
    limits: { ...NONE, ...limits },
    exempt,
    clock,
    throttled: (address) => throttled.push(address),
  });
  return Object.assign(rates, { throttled });
}

test('ten seconds of the rate at once, then the rate', async () => {
  const clock = new VirtualClock();
  const rate = ratesOf({ connections: 5 }, clock).of('192.0.2.1')!;
  const come = (n: number): number => Array.from({ length: n }, () => rate.connection()).filter(Boolean).length;
  assert.equal(come(100), 50);
  await clock.advance(1000);
  assert.equal(come(100), 5);
  await clock.advance(3_600_000);
  assert.equal(come(100), 50);
});

test('all addresses of an IPv6 network of 64 bits are one; of IPv4 each is its own', () => {
  const rates = ratesOf({ connections: 5 });
  assert.equal(rates.of('2001:db8::1'), rates.of('2001:db8:0:0:ffff:ffff:ffff:ffff'));
  assert.notEqual(rates.of('2001:db8::1'), rates.of('2001:db8:0:1::1'));
  assert.equal(rates.of('fe80::1%eth0'), rates.of('fe80::2%eth0'));
  assert.notEqual(rates.of('192.0.2.1'), rates.of('192.0.2.2'));
});

test('addresses that are not asked for any more are forgotten', () => {
  const rates = ratesOf({ connections: 5 });
  const [kept, lost] = [rates.of('192.0.2.1'), rates.of('192.0.2.2')];
  for (let i = 0; i < 9_999; i++) {
    rates.of(`10.0.${i >> 8}.${i & 255}`);
    rates.of('192.0.2.1');
  }
  assert.equal(rates.of('192.0.2.1'), kept);
  assert.notEqual(rates.of('192.0.2.2'), lost);
});

test('the defaults hold back neither this machine nor a host of a thousand containers', () => {
  const config = loadConfig({ env: {}, readFile: () => '' });
  const limits = {
    connections: config['rate.connections_per_address'],
    requests: config['rate.requests_per_address'],
    bytes: config['rate.bytes_per_address'],
  };
  const rates = ratesOf(limits, new VirtualClock(), exemptNetworks(config));
  for (const local of ['127.0.0.1', '127.3.2.1', '::1', 'unix']) assert.equal(rates.of(local), null, local);
  const rate = rates.of('10.0.0.1')!;
  for (let i = 0; i < 8192; i++) assert.ok(rate.connection());
  for (let i = 0; i < 20_000; i++) assert.ok(rate.request());
  rate.take(2 ** 30);
  assert.equal(rate.waitMs, 0);
});

test('a room opens again when the rate lets more in, and is told of once', async () => {
  const clock = new VirtualClock();
  const rates = ratesOf({ bytes: 100 }, clock);
  const rate = rates.of('2001:db8::1')!;
  const room = ratedRoom(new FakeIntake(), rate, { clock, over: new AbortController().signal });
  rate.take(1000);
  assert.ok(room.hasRoom);
  rate.take(500);
  rate.take(500);
  assert.ok(!room.hasRoom);
  await clock.until(room.room());
  assert.equal(clock.monotonicMs(), 10_000);
  assert.ok(room.hasRoom);
  assert.deepEqual(rates.throttled, ['20010db800000000::/64']);
});

test('whoever waits for its rate does so no longer when it is over; for room it waits on', async () => {
  const clock = new VirtualClock();
  const rate = ratesOf({ bytes: 100 }, clock).of('192.0.2.1')!;
  const intake = new FakeIntake();
  const over = new AbortController();
  const room = ratedRoom(intake, rate, { clock, over: over.signal });
  rate.take(1_000_000);
  const waits = room.room();
  await clock.settle();
  over.abort();
  await waits;
  assert.equal(clock.monotonicMs(), 0);
  assert.equal(await clock.step(), false, 'no timer is left');
  assert.ok(room.hasRoom);
  intake.fill();
  assert.ok(!room.hasRoom);
  let hasRoom = false;
  const full = room.room().then(() => (hasRoom = true));
  await clock.settle();
  assert.ok(!hasRoom);
  intake.drain();
  await full;
});

test('at the door: one connection too many is refused, by its own reason and name', () => {
  const refused: unknown[] = [];
  const telemetry = { authFailed() {}, connectionEnded: (...what: unknown[]) => refused.push(what) };
  const door = openDoor({ rates: ratesOf({ connections: 1 }), telemetry });
  const come = (): string | null => door.enter({ remoteAddress: '192.0.2.1', destroy() {}, once() {} } as never, 'tcp');
  const entered = Array.from({ length: 12 }, come);
  assert.equal(entered.filter((address) => address !== null).length, 10);
  const told = ['forward', 'too_fast', '192.0.2.1'];
  assert.deepEqual(refused, [told, told]);
});

test('by HTTP: one request too many, or one behind too many bytes, hears 429 and when to come again', async () => {
  for (const limits of [{ requests: 0.1 }, { bytes: 0.1 }]) {
    await using fixture = await Fixture.start({}, systemClock, { door: openDoor({ rates: ratesOf(limits) }) });
    assert.equal((await fixture.post('/app', '{"a":1}')).status, 200);
    const { status, retryAfter, body } = await fixture.post('/app', '{"a":2}');
    assert.equal(status, 429);
    assert.ok(Number(retryAfter) > 0);
    assert.match(body, /"rate_limited"/);
    assert.equal(fixture.intake.chunks.length, 1);
    assert.equal(fixture.rejected[0]?.[0], 'rate_limited');
  }
});

test('by HTTP: bytes of a body that is refused count too', async () => {
  const door = openDoor({ rates: ratesOf({ bytes: 1000 }) });
  await using fixture = await Fixture.start({}, systemClock, { door });
  const client = await fixture.raw();
  client.write(`PUT /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n`);
  await client.until(/404|405/);
  client.write(`${'x'.repeat(100_000)}GET /ready HTTP/1.1\r\nHost: x\r\n\r\n`);
  await client.until(/429 Too Many Requests/);
  client.socket.destroy();
});

test('by Forward: an address past its rate is not read for a while, and all that it sent is acked', async (t) => {
  const rates = ratesOf({ bytes: 100_000 });
  const intake = new FakeIntake();
  const server = await startForwardServer('127.0.0.1:0', forwardOptions(intake, { limits: { rates } }));
  t.after(() => server.close());
  const socket = connect(Number(server.address.split(':')[1]), '127.0.0.1');
  t.after(() => socket.destroy());
  const answers = new Answers(socket);
  const chunks = 12;
  for (let i = 0; i < chunks; i++) {
    socket.write(encode(['app', 1_700_000_000, { log: 'x'.repeat(90_000) }, { chunk: String(i) }]));
  }
  for (let i = 0; i < chunks; i++) assert.deepEqual(await answers.next(), { ack: String(i) });
  assert.equal(intake.chunks.length, chunks);
  assert.ok(rates.throttled.length > 0);
});

const LINE = `<13>Jan  1 00:00:00 host app: ${'x'.repeat(960)}\n`;

test('by syslog: all lines are taken, the later', async (t) => {
  const rates = ratesOf({ bytes: 100_000 });
  const { input, port, taken } = await startSyslog({ rates });
  t.after(() => input.close());
  const socket = connect(port, '127.0.0.1');
  const lines = 1100;
  for (let i = 0; i < lines; i++) socket.write(LINE);
  socket.end();
  await once(socket.resume(), 'close');
  while (taken() < lines) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(taken(), lines);
  assert.ok(rates.throttled.length > 0);
});

test('by syslog: what was sent is taken at a stop, though its address waits for its rate', async (t) => {
  const rates = ratesOf({ bytes: 100_000 });
  const { input, port, taken } = await startSyslog({ rates });
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  t.after(() => socket.destroy());
  const lines = 1500;
  // Then the kernel has them, and we can read them.
  await new Promise((resolve) => socket.write(LINE.repeat(lines), resolve));
  while (rates.throttled.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(taken() < lines);
  await input.close();
  assert.equal(taken(), lines);
});

test('an exempt network that is none is a mistake of the operator', () => {
  const config = loadConfig({ env: { SLUICE_RATE_EXEMPT_NETWORKS: '10.0.0.0/99' }, readFile: () => '' });
  assert.throws(() => exemptNetworks(config), /SLUICE_RATE_EXEMPT_NETWORKS: 10\.0\.0\.0\/99 is no network/);
});
