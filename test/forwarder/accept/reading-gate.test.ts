// The gate alone, with connections that are told what to do, and a virtual clock.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FakeMember, setUpGate } from './fake-gate-member.ts';

function setUp(members: number, bytesMax = 1000) {
  const given = setUpGate(bytesMax);
  return { ...given, members: Array.from({ length: members }, () => given.enter('one')) };
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
  assert.deepEqual(reading(members), [true, true, false], '800 is more than three quarters of the limit');
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

test('who waits for us is not to blame while there is room for nobody', async () => {
  const { clock, members, room } = setUp(2);
  room.hasRoom = false;
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

test('who holds nothing reads a piece, however many wait; the reserve for that is bounded', async () => {
  const { members, enter, room, gate } = setUp(4, 8000);
  room.hasRoom = false;
  for (const member of members) {
    member.isWaiting = true;
    member.hold(2100);
  }
  const others = Array.from({ length: 3 }, () => enter('other'));
  for (const other of others) other.flow();
  assert.deepEqual(reading(others), [true, true, true]);
  others[0]!.hold(600);
  assert.deepEqual(reading(others), [false, true, true], 'it holds something now');
  others[1]!.hold(600);
  assert.deepEqual(reading(others), [false, false, false], 'an eighth of the limit is held');
  others[1]!.hold(0);
  assert.deepEqual(reading(others), [false, true, true]);
  for (const member of [...members, ...others]) member.hold(0);
  assert.deepEqual([gate.bytesHeld, ...reading(others)], [0, true, true, true]);
});

test('who begins anew has its turn where all others wait, and goes on to the end of its frame', async () => {
  const { clock, members, enter, room } = setUp(4, 8000);
  room.hasRoom = false;
  for (const member of members) {
    member.isWaiting = true;
    member.hold(2100);
  }
  const [one, two] = [enter('a'), enter('b')];
  one.hold(900);
  await clock.advance(100);
  assert.equal(one.isReading, true);
  one.hold(5000);
  two.flow();
  assert.deepEqual(reading([one, two]), [true, true], 'the reserve is for others again');
  one.hold(0);
  assert.deepEqual(reading(members), [false, false, false, false]);
});

test('those that wait and keep the gate shut are closed: the largest of the network that holds most', async () => {
  const { clock, gate, members, enter } = setUp(0, 8000);
  for (const [network, bytes] of [
    ['a', 3000],
    ['b', 1500],
    ['b', 2000],
    ['c', 400],
    ['b', 1300],
  ] as const) {
    const member = enter(network);
    member.isWaiting = true;
    member.hold(bytes);
    members.push(member);
  }
  await clock.advance(900);
  assert.deepEqual(
    members.map(({ evictedWhy }) => evictedWhy),
    [null, null, null, null, null],
    'they may be done soon',
  );
  await clock.advance(200);
  const why = 'waiting_when_full';
  assert.deepEqual(
    members.map(({ evictedWhy }) => evictedWhy),
    [why, null, why, null, null],
    'b holds 4800, then a its 3000; then there is room',
  );
  assert.equal(gate.bytesHeld, 3200);
  assert.deepEqual(reading([members[1]!, members[3]!, members[4]!]), [true, true, true]);
});

test('nobody is closed for waiting while those that wait drain, or there was no room a moment ago', async () => {
  const { clock, members, room } = setUp(40, 8000);
  for (const member of members) {
    member.isWaiting = true;
    member.hold(205);
  }
  for (const member of members.slice(0, 9)) {
    await clock.advance(300);
    member.hold(0);
    member.hold(205);
  }
  for (let i = 0; i < 5; i += 1) {
    room.hasRoom = false;
    await clock.advance(100);
    room.hasRoom = true;
    await clock.advance(900);
  }
  assert.ok(members.every(({ isEvicted }) => !isEvicted));
  await clock.advance(200);
  assert.ok(members.some(({ isEvicted }) => isEvicted));
});

test('a byte now and then keeps no turn', async () => {
  const { clock, members } = setUp(2, 100_000);
  members[0]!.hold(60_000);
  members[1]!.hold(60_000);
  for (let bytes = 60_001; bytes < 60_012; bytes += 1) {
    members[0]!.hold(bytes);
    await clock.advance(50);
    members[0]!.hold(bytes + 0.5);
    await clock.advance(50);
  }
  assert.equal(members[0]!.evictedWhy, 'slow_when_full');
  assert.equal(members[1]!.isReading, true);
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
