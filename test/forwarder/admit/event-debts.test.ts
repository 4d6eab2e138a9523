// Events that are next to nothing, in any number of bodies: what one address may bring of them. Nothing is lost, and
// nothing ordinary counts.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { PassThrough } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { encode } from '@msgpack/msgpack';
import { startForwardServer } from '#forwarder/accept/forward/forward-server.ts';
import { requestMayGoOn } from '#forwarder/accept/http/request-rate.ts';
import { type BroughtEvents, EventDebts, StreamedEvents } from '#forwarder/admit/event-debts.ts';
import { type Clock, systemClock } from '#shared/clock.ts';
import { FakeIntake } from '#test/forwarder/accept/forward/fake-intake.ts';
import { forwardOptions, samples } from '#test/forwarder/accept/forward/forward-options.ts';
import { Answers } from '#test/forwarder/accept/forward/handshake-client.ts';
import { Fixture } from '#test/forwarder/accept/http/http-fixture.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { openDoor } from './open-door.ts';
import { startSyslog } from './syslog-fixture.ts';

function debtsOf(perSecond: number, clock: Clock = systemClock) {
  const throttled: string[] = [];
  const debts = new EventDebts({ perSecond, clock, throttled: (address) => throttled.push(address) });
  return Object.assign(debts, { throttled });
}

const brought = (count: number, bytes: number, sentBytes = bytes): BroughtEvents => ({ count, bytes, sentBytes });

test('what is ordinary never counts, however much of it comes', () => {
  const debts = debtsOf(1, new VirtualClock());
  const debt = debts.of('192.0.2.1', null)!;
  const check = (event: Buffer | ((i: number) => Buffer), pack: (bytes: Buffer) => Buffer = (bytes) => bytes): void => {
    const events = 20_000;
    const run = Buffer.concat(Array.from({ length: events }, (_, i) => (Buffer.isBuffer(event) ? event : event(i))));
    for (let i = 0; i < 1000; i++) debt.take(brought(events, run.length, pack(run).length));
    assert.equal(debt.waitMs, 0);
  };
  const ofDocker = { container_id: '4f1c'.repeat(16), container_name: '/x', source: 'stdout' };
  const empty = Buffer.from(encode([1_700_000_000, { ...ofDocker, log: '' }]));
  // fluent-bit's smallest, with its time of ten bytes.
  check(Buffer.concat([Buffer.from('92d70065000000', 'hex'), Buffer.alloc(5), Buffer.from(encode({ log: '' }))]));
  check(empty);
  check(Buffer.from('<13>Jan  1 00:00:00 h a: \n'));
  check((i) => Buffer.from(encode([1_700_000_000 + i, { m: 'tick', n: i }])), cached(gzipSync));
  check((i) => Buffer.from(encode([1_700_000_000, { m: 'tick', n: String(i) }])), cached(zstdCompressSync));
  check(Buffer.from(encode([1_700_000_000, { ...ofDocker, log: 'x'.repeat(200) }])), cached(gzipSync));
  assert.deepEqual(debts.throttled, []);
});

function cached(pack: (bytes: Buffer) => Buffer): (bytes: Buffer) => Buffer {
  const packed = new Map<Buffer, Buffer>();
  return (bytes) => packed.get(bytes) ?? packed.set(bytes, pack(bytes)).get(bytes)!;
}

test('thin events: a hundred thousand at once, then so many a second; packed ones five times as many', async () => {
  const check = async (event: { bytes: number; sentBytes: number }, atOnce: number): Promise<void> => {
    const clock = new VirtualClock();
    const debt = debtsOf(1000, clock).of('192.0.2.1', null)!;
    const bring = (count: number): void => debt.take(brought(count, count * event.bytes, count * event.sentBytes));
    bring(atOnce);
    assert.equal(debt.waitMs, 0);
    bring(atOnce);
    assert.equal(debt.waitMs, 60_000);
    assert.ok(!debt.isDeep);
    bring(atOnce / 1000);
    assert.ok(debt.isDeep);
    await clock.advance(100_100);
    assert.equal(debt.waitMs, 0);
  };
  await check({ bytes: 0, sentBytes: 1 }, 100_000);
  await check({ bytes: 8, sentBytes: 8 }, 200_000);
  await check({ bytes: 100, sentBytes: 0 }, 500_000);
  await check({ bytes: 8, sentBytes: 0 }, 200_000);
});

test('a network of one tenant has one debt, whatever its address; others have theirs', () => {
  const debts = debtsOf(1000, new VirtualClock());
  debts.of('2001:db8::1', 'a')!.take(brought(200_000, 0));
  const check = (address: string, tenant: string | null, isIn: boolean): void =>
    assert.equal(debts.of(address, tenant)!.waitMs > 0, isIn, `${address} ${tenant}`);
  check('2001:db8::1', 'a', true);
  check('2001:db8::2', 'a', true);
  check('2001:db8::1', 'b', false);
  check('2001:db8::1', null, false);
  check('2001:db8:0:1::1', 'a', false);
  check('unix', 'a', false);
  assert.equal(debtsOf(0).of('192.0.2.1', null), null);
});

test('whoever owes most is remembered, however many others bring small events', () => {
  const debts = debtsOf(1, new VirtualClock());
  const debt = debts.of('192.0.2.1', null)!;
  debt.take(brought(200_000, 0));
  for (let n = 0; n < 25_000; n++) {
    debts.of(`10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`, null)!.take(brought(1, 0));
  }
  assert.ok(debt.waitMs > 0);
});

test('one who has many addresses has no more small events by them', async () => {
  const check = async (addressOf: (n: number) => string, atOnce: number, each: number): Promise<void> => {
    const clock = new VirtualClock();
    const debts = debtsOf(1000, clock);
    const posts = 20_000;
    const post = (): number => {
      let taken = 0;
      for (let n = 0; n < posts; n++) {
        const debt = debts.of(addressOf(n), null)!;
        if (debt.waitMs > 0) continue;
        debt.take(brought(50_000, 0));
        if (!debt.isDeep) taken += 50_000;
      }
      return taken;
    };
    const first = post();
    assert.ok(first >= atOnce && first <= 2 * atOnce + 50_000 + posts * each, `${first} at once`);
    await clock.advance(10_000);
    const second = post();
    assert.ok(second <= 10 * 5000 + 500_000, `${second} after ten seconds`);
    // Who brings nothing small waits for nobody; who brings a few, not for others.
    const other = debts.of('192.0.2.99', null)!;
    assert.equal(other.waitMs, 0);
    other.take(brought(500, 0));
    assert.equal(other.waitMs, 0);
    assert.ok(!other.isDeep);
  };
  await check((n) => `127.${n >> 16}.${(n >> 8) & 255}.${n & 255}`, 100_000, 0);
  await check((n) => `2001:db8:7:${n.toString(16)}::1`, 200_000, 0);
  await check((n) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`, 500_000, 0);
  await check((n) => `2001:db8:${n.toString(16)}::1`, 500_000, 0);
});

test('damaged small frames cost as much as what their dead letters cost; large ones have paid', () => {
  const debt = debtsOf(1000, new VirtualClock()).of('192.0.2.1', null)!;
  for (let i = 0; i < 1_000_000; i++) debt.takeDeadLetter(160);
  assert.equal(debt.waitMs, 0);
  for (let i = 0; i < 20_000; i++) debt.takeDeadLetter(4);
  assert.ok(debt.waitMs > 0);
});

test('of a stream, events may come behind their bytes, but not any number', () => {
  const debt = debtsOf(1000, new VirtualClock()).of('192.0.2.1', null)!;
  const events = new StreamedEvents(debt);
  for (let i = 0; i < 100; i++) {
    events.came(16 * 30_000);
    events.made(10_000);
    events.made(20_000);
  }
  events.came(2 ** 40);
  events.made(100_000);
  events.made(100_000);
  assert.equal(debt.waitMs, 0);
  events.made(1000);
  assert.equal(debt.waitMs, 1000);
});

test('an upload goes on when its address is out of debt, when its sender is gone, and when we stop', async () => {
  const check = async (end: (over: { request: PassThrough; stop: AbortController }) => void, atMs: number) => {
    const clock = new VirtualClock();
    const debt = debtsOf(1000, clock).of('192.0.2.1', null)!;
    debt.take(brought(150_000, 0));
    const request = new PassThrough();
    const stop = new AbortController();
    const limits = { rate: null, debt, clock, stopping: stop.signal };
    const goesOn = requestMayGoOn(request as unknown as IncomingMessage, limits);
    await clock.settle();
    end({ request, stop });
    await clock.until(goesOn);
    assert.equal(clock.monotonicMs(), atMs);
    assert.equal(request.listenerCount('close'), 0);
  };
  await check(() => undefined, 50_000);
  await check(({ request }) => request.emit('close'), 0);
  await check(({ stop }) => stop.abort(), 0);
});

/** `[0, {}]`, as small as an event can be. */
const SMALLEST = Buffer.from('920080', 'hex');

function packed(id: string, count: number): Uint8Array {
  const entries = gzipSync(Buffer.alloc(count * SMALLEST.length, SMALLEST));
  return encode(['app', entries, { compressed: 'gzip', chunk: id, size: count }]);
}

/** One that is connected to a server with a limit of 1,000 small events a second. */
async function forwardSender(t: TestContext) {
  const clock = new VirtualClock();
  const debts = debtsOf(1000, clock);
  const intake = new FakeIntake();
  const options = forwardOptions(intake, { limits: { debts }, clock }, { clock });
  const server = await startForwardServer('127.0.0.1:0', options);
  t.after(() => server.close());
  const socket = connect(Number(server.address.split(':')[1]), '127.0.0.1');
  t.after(() => socket.destroy());
  const answers = new Answers(socket);
  return { clock, debts, intake, socket, answers };
}

test('by Forward: small chunks of the smallest events are taken as slowly as one may bring them', async (t) => {
  const { clock, debts, intake, socket, answers } = await forwardSender(t);
  for (let i = 0; i < 5; i++) socket.write(packed(String(i), 50_000));
  for (let i = 0; i < 3; i++) assert.deepEqual(await answers.next(), { ack: String(i) });
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(intake.chunks.length, 3, 'they are 122,000 more than their bytes pay for');
  assert.deepEqual(debts.throttled, ['127.0.0.1']);
  for (let i = 3; i < 5; i++) {
    while (intake.chunks.length < i + 1) await clock.advance(1000);
    assert.deepEqual(await answers.next(), { ack: String(i) });
  }
  assert.equal(intake.chunks.length, 5);
});

test('by Forward: chunks with bad entries are taken as slowly as one may bring dead letters', async (t) => {
  const { clock, debts, intake, socket, answers } = await forwardSender(t);
  const bad = gzipSync(Buffer.alloc(4000, Buffer.concat([SMALLEST, Buffer.from([1])])));
  for (let i = 0; i < 12; i++) socket.write(encode(['app', bad, { compressed: 'gzip', chunk: String(i) }]));
  for (let i = 0; i < 9; i++) assert.deepEqual(await answers.next(), { ack: String(i) });
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(intake.chunks.length, 9);
  assert.equal(intake.deadLettered.length, 9000);
  assert.deepEqual(debts.throttled, ['127.0.0.1']);
  for (let i = 9; i < 12; i++) {
    while (intake.chunks.length < i + 1) await clock.advance(1000);
    assert.deepEqual(await answers.next(), { ack: String(i) });
  }
});

test('by Forward: beyond the debt of what came at once nothing is taken or acked', async (t) => {
  const debts = debtsOf(1, new VirtualClock());
  const intake = new FakeIntake();
  const options = forwardOptions(intake, { limits: { debts } });
  const server = await startForwardServer('127.0.0.1:0', options);
  t.after(() => server.close());
  // As if other connections had brought it while this one was read.
  const socket = connect(Number(server.address.split(':')[1]), '127.0.0.1');
  t.after(() => socket.destroy());
  const answers = new Answers(socket);
  socket.write(encode(['app', 0, { log: 'x'.repeat(20) }, { chunk: 'first' }]));
  assert.deepEqual(await answers.next(), { ack: 'first' });
  const message = (i: number): Uint8Array => encode(['app', 0, {}, { chunk: String(i) }]);
  const real = debts.waitMs.bind(debts);
  debts.waitMs = () => 0;
  debts.of('127.0.0.1', null)!.take(brought(250_000, 0));
  socket.write(message(1));
  await once(socket.resume(), 'close');
  debts.waitMs = real;
  assert.equal(intake.chunks.length, 1);
  const rejected = await samples(options.metrics, 'chunks_rejected_total');
  assert.equal(rejected['{input="forward",reason="rate_limited"}'], 1);
});

test('by HTTP: who is in debt hears 429 and when to come again, before its body is taken', async () => {
  const check = async (type: string, body: string, taken: number): Promise<void> => {
    const debts = debtsOf(1, new VirtualClock());
    await using fixture = await Fixture.start({}, systemClock, { door: openDoor({ debts }) });
    const post = () => fixture.post('/app', body, { 'content-type': type });
    for (let i = 0; i < taken; i++) assert.equal((await post()).status, 200);
    const { status, retryAfter, body: said } = await post();
    assert.equal(status, 429);
    assert.ok(Number(retryAfter) > 0);
    assert.match(said, /"rate_limited"/);
    assert.equal(fixture.intake.chunks.length, taken);
    assert.equal(fixture.rejected[0]?.[0], 'rate_limited');
  };
  await check('application/x-ndjson', '{}\n'.repeat(15_000), 9);
  await check('application/json', `[${'{},'.repeat(14_999)}{}]`, 9);
});

test('by HTTP: entries of an upload without an end count with the bytes that have come', async () => {
  const clock = new VirtualClock();
  const debts = debtsOf(1000, clock);
  await using fixture = await Fixture.start({}, systemClock, { door: openDoor({ debts }) });
  const post = fixture.post('/upload', 'A=\n\n'.repeat(150), { 'content-type': 'application/vnd.fdo.journal' });
  assert.equal((await post).status, 200);
  const debt = debts.of('127.0.0.1', null)!;
  assert.equal(debt.waitMs, 0);
  const left = 100_000 - 150 * (1 - 4 / 16);
  debt.take(brought(Math.floor(left), 0));
  assert.equal(debt.waitMs, 0);
  debt.take(brought(1, 0));
  assert.ok(debt.waitMs > 0, 'the upload has been counted');
});

test('by syslog: the smallest lines are all taken, the later; at a stop at once', async () => {
  const debts = debtsOf(1, new VirtualClock());
  const { input, port, taken } = await startSyslog({ debts });
  const socket = connect(port, '127.0.0.1');
  const lines = 150_000;
  await new Promise((resolve) => socket.write('a\n'.repeat(lines), resolve));
  while (debts.throttled.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(taken() < lines);
  await input.close();
  assert.equal(taken(), lines);
  socket.destroy();
});
