// What one address may bring by UDP: past its rate datagrams are dropped and counted, and no connection of the address
// waits for them.

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { startForwardServer } from '#forwarder/accept/forward/forward-server.ts';
import { startGelfInput } from '#forwarder/accept/gelf/gelf-input.ts';
import { startSyslogInput } from '#forwarder/accept/syslog/syslog-input.ts';
import { type AddressLimits, AddressRates, datagramRates } from '#forwarder/admit/address-rates.ts';
import { ANYONE } from '#forwarder/intake/principal.ts';
import { ForwarderTelemetry } from '#forwarder/intake/telemetry.ts';
import { systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import { Metrics } from '#shared/metrics.ts';
import { NetworkSet } from '#shared/net/networks.ts';
import { openDoor } from '#test/forwarder/admit/open-door.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { FakeIntake } from '../forward/fake-intake.ts';
import { forwardOptions, samples } from '../forward/forward-options.ts';

type Limits = Pick<AddressLimits, 'bytes' | 'datagrams'>;

function ratesOf(limits: Limits, throttled: (address: string) => void = () => undefined, exempt = new NetworkSet([])) {
  const clock = new VirtualClock();
  const rates = new AddressRates({ limits: { connections: 0, requests: 0, ...limits }, exempt, clock, throttled });
  return { clock, rates };
}

for (const [what, limits] of [
  ['datagrams', { bytes: 0, datagrams: 5 }],
  ['bytes', { bytes: 500, datagrams: 0 }],
] as const) {
  test(`ten seconds of the rate of ${what} at once, then the rate; told once a second at most`, async () => {
    const told: string[] = [];
    const { clock, rates } = ratesOf(limits, (address) => void told.push(address));
    const rate = rates.of('2001:db8::1')!;
    const come = (n: number): number => Array.from({ length: n }, () => rate.datagram(100)).filter(Boolean).length;
    // Bytes may be in debt by a datagram, for nobody knows its size before it is there.
    const within = (taken: number, expected: number): void => assert.ok(taken >= expected && taken <= expected + 1);
    within(come(100), 50);
    assert.deepEqual(told, ['20010db800000000::/64']);
    for (let i = 0; i < 10; i++) {
      await clock.advance(100);
      come(100);
    }
    assert.equal(told.length, 2);
    await clock.advance(1000);
    within(come(100), 5);
    await clock.advance(3_600_000);
    within(come(100), 50);
  });
}

test('the defaults drop nothing of this machine, nor of a host that sends ten thousand lines a second', async () => {
  const config = loadConfig({ env: {}, readFile: () => '' });
  const clock = new VirtualClock();
  const rates = datagramRates(config, { clock, throttled: () => assert.fail() });
  assert.equal(rates.of('127.0.0.1'), null);
  const rate = rates.of('192.0.2.1')!;
  for (let second = 0; second < 5; second++) {
    for (let i = 0; i < 10_000; i++) if (!rate.datagram(300)) assert.fail('a line was dropped');
    await clock.advance(1000);
  }
  const without = loadConfig({ env: { SLUICE_RATE_BYTES_PER_ADDRESS: '0' }, readFile: () => '' });
  const unlimited = datagramRates(without, { clock, throttled: () => assert.fail() }).of('192.0.2.1')!;
  for (let i = 0; i < 300_000; i++) if (!unlimited.datagram(1000)) assert.fail('a line was dropped');
});

const MESSAGES = { syslog: '<13>a', gelf: '{"short_message":"a"}' };

async function start(t: TestContext, input: 'syslog' | 'gelf', limits: Limits) {
  const intake = new FakeIntake();
  const metrics = new Metrics({ version: '0', command: 'test' });
  const logged: Record<string, unknown>[] = [];
  const note = (event: string, fields: object = {}) => void logged.push({ event, ...fields });
  const telemetry = new ForwarderTelemetry(metrics, { debug: note, info: note, warn: note, error: note });
  const { rates } = ratesOf(limits, (address) => telemetry.datagramsThrottled(address));
  const common = {
    intake,
    telemetry,
    clock: systemClock,
    door: openDoor({ input, telemetry }),
    admit: () => ANYONE,
    datagramRates: rates,
    listen: '127.0.0.1:0',
    tag: input,
    messageBytesMax: 65_536,
    receiveBufferBytes: 1 << 20,
  };
  const server =
    input === 'syslog'
      ? await startSyslogInput({ ...common, tlsListen: undefined, tls: null, timeZone: 'UTC' })
      : await startGelfInput(common);
  t.after(() => server.close());
  const taken = () => intake.chunks.reduce((sum, { count }) => sum + count, 0);
  return { port: Number(server.addresses[0]?.split(':').at(-1)), taken, logged, metrics };
}

async function sendDatagrams(t: TestContext, port: number, text: string, count: number): Promise<void> {
  const socket = createSocket('udp4');
  t.after(() => socket.close());
  for (let i = 0; i < count; i++) {
    await new Promise<void>((resolve) => socket.send(text, port, '127.0.0.1', () => resolve()));
  }
}

for (const input of ['syslog', 'gelf'] as const) {
  test(`${input}: what is over the rate is dropped, counted and told; its connections are read on`, async (t) => {
    const { port, taken, logged, metrics } = await start(t, input, { bytes: 0, datagrams: 1 });
    await sendDatagrams(t, port, MESSAGES[input], 50);
    const dropped = async () =>
      (await samples(metrics, 'events_dropped_total'))['{stage="edge",reason="address_rate"}'];
    while ((await dropped()) !== 40) await systemClock.sleep(5);
    assert.equal(taken(), 10);
    const lines = logged.filter(({ event }) => event === 'access_refused');
    const told = { event: 'access_refused', input: 'any', reason: 'address_rate', peer: '127.0.0.1' };
    assert.deepEqual(lines, [{ ...told, detail: 'its datagrams are dropped for a while', count: 1 }]);
    const connection = connect(port, '127.0.0.1');
    connection.end(MESSAGES[input] + (input === 'gelf' ? '\0' : '\n'));
    await once(connection.resume(), 'close');
    while (taken() < 11) await systemClock.sleep(5);
  });
}

test('heartbeats of an address are answered at its rate', async (t) => {
  const { clock, rates } = ratesOf({ bytes: 0, datagrams: 1 });
  const server = await startForwardServer('127.0.0.1:0', forwardOptions(new FakeIntake(), { datagramRates: rates }));
  t.after(() => server.close());
  const port = Number(server.address.split(':')[1]);
  const socket = createSocket('udp4');
  t.after(() => socket.close());
  const counts = { answers: 0, asked: 0 };
  socket.on('message', () => (counts.answers += 1));
  const ask = rates.of.bind(rates);
  rates.of = (address) => {
    counts.asked += 1;
    return ask(address);
  };
  const beat = async (count: number): Promise<void> => {
    const until = counts.asked + count;
    for (let i = 0; i < count; i++) {
      await new Promise<void>((resolve) => socket.send('x', port, '127.0.0.1', () => resolve()));
    }
    while (counts.asked < until) await systemClock.sleep(5);
  };
  await beat(30);
  await clock.advance(1000);
  await beat(1);
  // Answers come in the order of their questions: behind this one there are none.
  while (counts.answers < 11) await systemClock.sleep(5);
  assert.equal(counts.answers, 11);
});
