// The gate among senders that mean well and others that do not, by a virtual clock. Frames are of up to 4 MiB, the
// limit is 64 MiB.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeSender, KIB, MIB, setUpGate } from './fake-gate-member.ts';

const STEP_MS = 25;
/** As fast as a line of 80 Mbit/s. */
const FAST = 10 * KIB;
/** Just above what counts as slow. */
const SLOW = 18;
/** The limit, the reserve, a frame and two pieces. */
const HELD_MAX = 64 * MIB + 8 * MIB + 4 * MIB + 2 * 64 * KIB;

function setUp() {
  const { clock, gate, room, enter } = setUpGate();
  const senders: FakeSender[] = [];
  const add = (network: string, options: { frameBytes: number; bytesPerMs: number }): FakeSender => {
    const sender = new FakeSender(() => enter(network), options);
    senders.push(sender);
    return sender;
  };
  const crowd = (count: number, network: (i: number) => string, options: { frameBytes: number; bytesPerMs: number }) =>
    Array.from({ length: count }, (_, i) => add(network(i), options));
  /** Until the condition holds, or the time is over; how long it took. */
  const run = async (limitMs: number, isDone = () => false): Promise<number> => {
    const beganMs = clock.monotonicMs();
    while (clock.monotonicMs() - beganMs < limitMs && !isDone()) {
      for (const sender of senders) sender.run(STEP_MS);
      assert.ok(gate.bytesHeld <= HELD_MAX, `${gate.bytesHeld} bytes are held`);
      await clock.advance(STEP_MS);
    }
    return clock.monotonicMs() - beganMs;
  };
  return { clock, gate, room, enter, add, crowd, run };
}

/** A sender that begins anew: how long its first frame takes. */
async function firstFrame(given: ReturnType<typeof setUp>, network: string, frameBytes: number): Promise<number> {
  const sender = given.add(network, { frameBytes, bytesPerMs: FAST });
  return given.run(120_000, () => sender.frames > 0);
}

const LARGE = 4 * MIB - 1;

test('slow senders of one network stop nobody else: a frame of 2 MiB takes what its line takes', async () => {
  const given = setUp();
  const slow = given.crowd(66, () => 'hostile', { frameBytes: LARGE, bytesPerMs: 2 * KIB });
  await given.run(500);
  slow.push(...given.crowd(200, () => 'hostile', { frameBytes: LARGE, bytesPerMs: SLOW }));
  for (const sender of slow) sender.bytesPerMs = SLOW;
  for (let i = 0; i < 5; i += 1) {
    assert.equal(await firstFrame(given, `good${i}`, 2 * MIB), 225);
    assert.equal(await firstFrame(given, `good${i}`, 50 * KIB), 25);
    await given.run(10_000);
  }
  assert.ok(slow.every(({ frames }) => frames <= 1));
});

test('slow frames of a moment ago, a reserve full of others, and a sender that holds nothing', async () => {
  // What the others hold, they sent before anybody was stopped.
  const { clock, gate, enter } = setUpGate();
  const large = Array.from({ length: 66 }, () => enter('hostile'));
  for (let bytes = 0; bytes < MIB; bytes += 22 * KIB) {
    for (const member of large) if (member.isReading) member.hold(bytes);
    await clock.advance(10);
  }
  const small = Array.from({ length: 140 }, () => enter('hostile'));
  for (const member of small) if (member.isReading) member.hold(64 * KIB);
  assert.ok(gate.bytesHeld < 40 * MIB, 'more than half is left for others');
  const [victim, idle] = [enter('good'), enter('good')];
  for (let ms = 0; ms < 300_000; ms += 50) {
    await clock.advance(50);
    for (const member of [...large, ...small])
      if (member.isReading && !member.isEvicted) member.hold(member.pass.bytes + 900);
    assert.ok(victim.isReading && idle.isReading);
    victim.hold(victim.pass.bytes < 2 * MIB ? victim.pass.bytes + 64 * KIB : 0);
  }
  assert.ok(!victim.isEvicted);
  assert.ok(gate.bytesHeld < 40 * MIB);
});

test('a sender behind one network with slow ones comes through in two rounds of turns', async () => {
  const given = setUp();
  const slow = given.crowd(66, () => 'nat', { frameBytes: LARGE, bytesPerMs: 2 * KIB });
  await given.run(500);
  for (const sender of slow) sender.bytesPerMs = SLOW;
  given.crowd(140, () => 'nat', { frameBytes: LARGE, bytesPerMs: SLOW });
  const tookMs = await firstFrame(given, 'nat', 2 * MIB);
  assert.ok(tookMs <= 2 * 207 * 250, `${tookMs} ms`);
});

test('a crowd behind one network shares by connection, and nobody of it is closed', async () => {
  const given = setUp();
  const crowd = given.crowd(60, () => 'nat', { frameBytes: 2 * MIB, bytesPerMs: FAST });
  await given.run(60_000);
  const frames = crowd.map((sender) => sender.frames);
  assert.ok(Math.min(...frames) > 0 && Math.max(...frames) <= 3 * Math.min(...frames), frames.join(' '));
  assert.deepEqual([...new Set(crowd.map(({ closings }) => closings))], [0]);
});

test('many networks with large frames take turns, within the limit', async () => {
  const given = setUp();
  const crowd = given.crowd(200, String, { frameBytes: 2 * MIB, bytesPerMs: FAST });
  await given.run(120_000);
  const frames = crowd.map((sender) => sender.frames);
  assert.ok(Math.min(...frames) > 0, frames.join(' '));
  assert.deepEqual([...new Set(crowd.map(({ closings }) => closings))], [0]);
});

for (const networks of [4, 100, 1000]) {
  test(`${networks} hostile networks: a good sender waits for no more than a turn of each`, async () => {
    const given = setUp();
    const fast = given.crowd(networks, (i) => `hostile${i}`, { frameBytes: LARGE, bytesPerMs: 2 * KIB });
    await given.run(500);
    for (const sender of fast) sender.bytesPerMs = SLOW;
    given.crowd(networks, (i) => `hostile${i}`, { frameBytes: LARGE, bytesPerMs: SLOW });
    await given.run(1000);
    const tookMs = await firstFrame(given, 'good', 2 * MIB);
    assert.ok(tookMs <= 250 + (networks > 14 ? networks * 500 : 0), `${tookMs} ms`);
  });
}
