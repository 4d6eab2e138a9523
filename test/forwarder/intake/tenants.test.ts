// What one tenant's flood does to the others: nothing. Shown by the order of service, not by time.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { TokenBucket } from '#forwarder/intake/token-bucket.ts';
import type { Chunk } from '#forwarder/intake/chunk.ts';
import { QueueIntake } from '#forwarder/intake/intake.ts';
import { ForwarderTelemetry } from '#forwarder/intake/telemetry.ts';
import { TenantQuotas } from '#forwarder/intake/tenant-quotas.ts';
import type { Tenant } from '#shared/config/tenants.ts';
import { Metrics } from '#shared/metrics.ts';
import { decodeBatches } from '#shared/record/record.ts';
import { tenantOf } from '#test/forwarder/admit/tenant-of.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { SILENT } from './intake-fixture.ts';
import { RecordingQueue } from './recording-queue.ts';

function setUp(tenants: readonly Tenant[], bytesMax = 10_000_000) {
  const clock = new VirtualClock();
  const queue = new RecordingQueue();
  queue.partitions = 1;
  const intake = new QueueIntake({
    queue,
    clock,
    telemetry: new ForwarderTelemetry(new Metrics({ version: '0', command: 'test' }), SILENT),
    bytesMax,
    lingerMs: 0,
    sealBytes: 20_000,
    openWaitMs: 1000,
    tenants,
  });
  return { clock, queue, intake };
}

/** Random, so that no compression makes it small. */
function chunkOf(tenant: string, bytes = 10_000): Chunk {
  const entries = Buffer.from(encode([1_700_000_000, { log: randomBytes(bytes / 2).toString('hex') }]));
  const origin = { tag: 'app', input: 'forward', tenant, sender: 's' } as const;
  return { ...origin, chunkId: null, encoding: 'identity', bytes: entries, entries, count: 1 };
}

test('a bucket has a burst of a second, and debts are paid', () => {
  const bucket = new TokenBucket(1000, 0);
  bucket.take(1000, 0);
  assert.equal(bucket.waitMs(0), 0);
  bucket.take(500, 0);
  assert.equal(bucket.waitMs(0), 500);
  assert.equal(bucket.waitMs(400), 100);
  assert.equal(bucket.waitMs(500), 0);
  bucket.take(1, 100_000);
  assert.equal(bucket.waitMs(100_000), 0);
  bucket.take(1000, 100_000);
  assert.equal(bucket.waitMs(100_000), 1, 'silence saves up no more than the burst');
});

test('one tenant holds three quarters at most, and the next has room at once', async () => {
  const clock = new VirtualClock();
  const quotas = new TenantQuotas({ bytesMax: 1000, clock, tenants: [tenantOf('a')], throttled() {} });
  const [a, b] = [quotas.of('a', 'forward'), quotas.of('b', 'forward')];
  const permits = [];
  while (a.hasRoom) permits.push(a.take(10, 1, 10));
  assert.equal(quotas.bytesHeld, 750);
  assert.equal(b.hasRoom, true);
  while (b.hasRoom) permits.push(b.take(10, 1, 10));
  assert.ok(quotas.bytesHeld < 1000, 'and the third');
  assert.equal(quotas.of('c', 'forward').hasRoom, true);
  let woken = 0;
  void a.room().then(() => (woken += 1));
  await clock.settle();
  assert.equal(woken, 0);
  for (const permit of permits) permit[Symbol.dispose]();
  await clock.settle();
  assert.equal(woken, 1);
  assert.equal(quotas.bytesHeld, 0);
});

test('without tenants everybody may hold all of it', () => {
  const quotas = new TenantQuotas({ bytesMax: 1000, clock: new VirtualClock(), tenants: [], throttled() {} });
  const room = quotas.of(null, 'forward');
  room.take(990, 1, 990);
  assert.equal(room.hasRoom, true);
  room.take(10, 1, 10);
  assert.equal(room.hasRoom, false);
  assert.equal(quotas.hasRoom, false);
});

test('without tenants, senders of one way have room whatever others hold, and wait for their own bytes', async () => {
  const clock = new VirtualClock();
  const quotas = new TenantQuotas({ bytesMax: 1600, clock, tenants: [], throttled() {} });
  const [forward, http, unacked] = [quotas.of(null, 'forward'), quotas.for('http'), quotas.for('unacked')];
  const all = quotas.of(null, 'http').take(2000, 1, 2000);
  assert.deepEqual([quotas.hasRoom, http.hasRoom, forward.hasRoom, unacked.hasRoom], [false, false, true, true]);
  const first = forward.take(60, 1, 60);
  assert(forward.hasRoom);
  const second = forward.take(60, 1, 60);
  assert(!forward.hasRoom);
  // All of them together stay below the limit and a reserve each.
  quotas.of(null, 'unacked').take(100, 1, 100);
  assert(!unacked.hasRoom);
  const woken: string[] = [];
  const waits = [
    forward.room().then(() => woken.push('forward')),
    http.room().then(() => woken.push('http')),
    quotas.room().then(() => woken.push('anybody')),
  ];
  await clock.settle();
  second[Symbol.dispose]();
  await clock.settle();
  assert.deepEqual(woken, ['forward']);
  all[Symbol.dispose]();
  await Promise.all(waits);
  assert.deepEqual(woken.sort(), ['anybody', 'forward', 'http']);
  first[Symbol.dispose]();
  assert.equal(quotas.bytesHeld, 100);
});

test('with two tenants at their limits neither starves', () => {
  const quotas = new TenantQuotas({
    bytesMax: 7000,
    clock: new VirtualClock(),
    tenants: [tenantOf('a')],
    throttled() {},
  });
  const held = ['a', 'b'].map((name) => ({ room: quotas.of(name, 'forward'), bytes: 0 }));
  for (let i = 0; i < 10_000; i++) {
    for (const one of held) {
      if (!one.room.hasRoom) continue;
      one.room.take(10, 1, 10);
      one.bytes += 10;
    }
  }
  for (const { bytes } of held) assert.ok(Math.abs(bytes - 3000) <= 10, `${bytes} of 3000`);
});

for (const [what, rate, take] of [
  ['bytes', { bytesPerSecond: 1000 }, [3000, 1]],
  ['events', { eventsPerSecond: 10 }, [1, 30]],
] as const) {
  test(`a rate of ${what} stops reading until the debt is paid`, async () => {
    const clock = new VirtualClock();
    const throttled: string[] = [];
    const quotas = new TenantQuotas({
      bytesMax: 1e6,
      clock,
      tenants: [tenantOf('a', rate)],
      throttled: (tenant) => throttled.push(tenant),
    });
    const room = quotas.of('a', 'forward');
    room.take(take[0], take[1], take[0])[Symbol.dispose]();
    assert.equal(room.hasRoom, false);
    assert.equal(room.rateWaitMs, 2000);
    assert.equal(quotas.of('b', 'forward').hasRoom, true);
    let woken = 0;
    for (let i = 0; i < 3; i++) void room.room().then(() => (woken += 1));
    await clock.advance(1999);
    assert.equal(woken, 0);
    await clock.advance(1);
    assert.equal(woken, 3);
    assert.deepEqual(throttled, ['a'], 'told once for all that wait');
  });
}

test('what was begun goes on whatever the rate, as far as there is a share', async () => {
  const clock = new VirtualClock();
  const tenants = [tenantOf('a', { bytesPerSecond: 10 })];
  const quotas = new TenantQuotas({ bytesMax: 1000, clock, tenants, throttled() {} });
  const room = quotas.of('a', 'forward');
  const permits = [];
  while (room.hasShare) permits.push(room.take(10, 1, 10));
  assert.equal(quotas.bytesHeld, 750);
  let shares = 0;
  let entries = 0;
  void room.share().then(() => (shares += 1));
  void room.room().then(() => (entries += 1));
  await clock.settle();
  assert.deepEqual([shares, entries], [0, 0]);
  permits.pop()?.[Symbol.dispose]();
  await clock.settle();
  assert.deepEqual([shares, entries], [1, 0], 'the rate still waits for its debt');
  await clock.advance(75_000);
  assert.deepEqual([shares, entries], [1, 1]);
});

/** The tenants whose batches each append had. */
const tenantsOf = (queue: RecordingQueue): (string | null)[][] =>
  queue.appends.map(({ records }) =>
    records.flatMap(({ batches }) => (decodeBatches(batches) ?? []).map(({ tenant }) => tenant)),
  );

test('behind a flood in the same partition another tenant waits for two appends at most', async () => {
  const { clock, queue, intake } = setUp([]);
  const gates: (() => void)[] = [];
  queue.appendBytesMax = 100_000;
  queue.beforeHold = () => new Promise((resolve) => gates.push(resolve));
  const flood = Array.from({ length: 300 }, () => intake.accept(chunkOf('flood')));
  await clock.when(() => gates.length === 1);
  const state = { isHeld: false };
  const small = intake.accept(chunkOf('small', 100)).then(() => (state.isHeld = true));
  let appends = 0;
  while (!state.isHeld) {
    await clock.when(() => gates.length > 0);
    gates.shift()?.();
    appends++;
    await clock.settle();
    assert.ok(appends < 100, 'it is never held');
  }
  const before = tenantsOf(queue).slice(0, appends).flat().length;
  assert.ok(before <= 60, `${before} of 301 batches went before it, in ${appends} appends`);
  queue.beforeHold = () => Promise.resolve();
  for (const open of gates) open();
  await clock.until(Promise.all([...flood, small]));
});

test('two floods take turns, record by record', async () => {
  const { clock, queue, intake } = setUp([]);
  const gate = Promise.withResolvers<void>();
  queue.beforeHold = () => gate.promise;
  const all = ['a', 'b'].flatMap((tenant) => Array.from({ length: 200 }, () => intake.accept(chunkOf(tenant))));
  gate.resolve();
  await clock.until(Promise.all(all));
  const order = tenantsOf(queue).flat();
  const firstB = order.indexOf('b');
  const half = order.slice(firstB, firstB + 100);
  const share = half.filter((tenant) => tenant === 'b').length;
  assert.ok(share >= 45 && share <= 55, `b has ${share} of 100`);
});

test('a flood that the queue cannot take leaves room for others', async () => {
  const { clock, queue, intake } = setUp([tenantOf('flood'), tenantOf('small')], 1_000_000);
  const gate = Promise.withResolvers<void>();
  queue.beforeHold = () => gate.promise;
  const flood = intake.roomOf('flood', 'forward');
  const all = [];
  while (flood.hasRoom) all.push(intake.accept(chunkOf('flood')));
  assert.ok(all.length > 50);
  assert.equal(intake.roomOf('small', 'forward').hasRoom, true);
  all.push(intake.accept(chunkOf('small')));
  gate.resolve();
  await clock.until(Promise.all(all));
});
