// The gate alone, with connections that are told what to do, and a virtual clock.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type GateMember, type GatePass, ReadingGate } from '#forwarder/accept/reading-gate.ts';
import { VirtualClock } from '#test/memory/clock.ts';

class FakeMember implements GateMember {
  isWaiting = false;
  isEvicted = false;
  isReading = true;
  readonly pass: GatePass;
  readonly #gate: ReadingGate;

  constructor(gate: ReadingGate) {
    this.#gate = gate;
    this.pass = gate.enter(this);
  }

  flow(): void {
    this.isReading = this.#gate.mayRead(this.pass);
  }

  evict(): void {
    this.isEvicted = true;
    this.#gate.leave(this.pass);
  }

  hold(bytes: number): void {
    this.#gate.update(this.pass, bytes);
  }
}

function setUp(members: number, bytesMax = 1000) {
  const clock = new VirtualClock();
  const gate = new ReadingGate(bytesMax, clock);
  return { clock, gate, members: Array.from({ length: members }, () => new FakeMember(gate)) };
}

const reading = (members: readonly FakeMember[]) => members.map(({ isReading }) => isReading);

test('below the limit all read', () => {
  const { members } = setUp(3);
  for (const member of members) member.hold(333);
  assert.deepEqual(reading(members), [true, true, true]);
});

test('above it one reads at a time, who has waited longest, until there is room', async () => {
  const { clock, members } = setUp(3);
  for (const member of members) {
    member.hold(400);
    await clock.advance(1);
  }
  assert.deepEqual(reading(members), [true, false, false]);
  members[0]!.hold(900);
  assert.deepEqual(reading(members), [true, false, false], 'it may go on beyond the limit');
  members[0]!.hold(0);
  assert.deepEqual(reading(members), [false, true, false], '800 is more than three quarters of the limit');
  members[1]!.hold(0);
  assert.deepEqual(reading(members), [true, true, true]);
});

test('who makes no use of its turn is closed', async () => {
  const { clock, gate, members } = setUp(3);
  for (const member of members) member.hold(400);
  await clock.advance(99);
  members[0]!.hold(401);
  await clock.advance(100);
  assert.equal(members[0]!.isEvicted, false, 'a byte is progress');
  await clock.advance(100);
  assert.equal(members[0]!.isEvicted, true);
  assert.deepEqual(reading(members.slice(1)), [true, false]);
  await clock.advance(200);
  assert.equal(members[1]!.isEvicted, true);
  assert.equal(members[2]!.isEvicted, false, 'there is room');
  assert.equal(gate.bytesHeld, 400);
});

test('those that hold a frame open and send next to nothing go first, all at once', async () => {
  const { clock, members } = setUp(5);
  for (const member of members.slice(0, 3)) member.hold(200);
  await clock.advance(60_000);
  members[3]!.hold(300);
  members[4]!.hold(200);
  assert.deepEqual(
    members.map(({ isEvicted }) => isEvicted),
    [true, true, false, false, false],
    'no more of them than there must be',
  );
  assert.deepEqual(reading(members.slice(2)), [true, true, true]);
});

test('who waits for us is not to blame', async () => {
  const { clock, members } = setUp(2);
  members[0]!.hold(900);
  members[0]!.isWaiting = true;
  await clock.advance(60_000);
  members[1]!.hold(200);
  await clock.advance(50);
  assert.deepEqual(reading(members), [false, true]);
  await clock.advance(60_000);
  assert.equal(members[0]!.isEvicted, false);
  members[0]!.isWaiting = false;
  members[0]!.hold(0);
  assert.equal(members[0]!.isReading, true);
});

test('whatever happens, the gate opens again and nothing is left in the books', async () => {
  const { clock, gate, members } = setUp(200, 10_000);
  members.forEach((member, i) => member.hold((i * 37) % 400));
  await clock.advance(100 * 200 * 2);
  assert.ok(gate.bytesHeld <= 10_000);
  const left = members.filter(({ isEvicted }) => !isEvicted);
  assert.ok(left.length > 20 && left.every(({ isReading }) => isReading));
  for (const { pass } of left) gate.leave(pass);
  assert.equal(gate.bytesHeld, 0);
});
