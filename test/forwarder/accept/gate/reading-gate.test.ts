// The gate alone, with connections that are told what to do, and a virtual clock.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FakeMember, setUpGate } from './fake-gate-member.ts';

/** Members of one network. */
function setUp(members: number, bytesMax = 1000) {
  const given = setUpGate(bytesMax);
  return { ...given, members: Array.from({ length: members }, () => given.enter('one')) };
}

const reading = (members: readonly FakeMember[]) => members.map(({ isReading }) => isReading);
const evicted = (members: readonly FakeMember[]) => members.map(({ evictedWhy }) => evictedWhy);

test('a network that holds no more than it leaves free reads', () => {
  const { members } = setUp(3);
  for (const member of members) member.hold(166);
  assert.deepEqual(reading(members), [true, true, true]);
});

test('above it one reads at a time, who has waited longest, until there is room; other networks read on', async () => {
  const { clock, members, enter } = setUp(3);
  const other = enter('two');
  for (const member of members) {
    member.hold(200);
    await clock.advance(1);
  }
  assert.deepEqual(reading(members), [true, false, false]);
  other.hold(200);
  assert.deepEqual(reading([...members, other]), [true, false, false, true], '200 are free');
  other.hold(0);
  members[0]!.hold(900);
  assert.deepEqual(reading([...members, other]), [true, false, false, false], 'it may go on beyond the limit');
  members[0]!.hold(100);
  assert.deepEqual(reading(members), [true, false, false], '500 are free: not by a quarter more');
  members[0]!.hold(0);
  assert.deepEqual(reading([...members, other]), [true, true, true, true]);
});

test('who brings nothing in its turn is closed', async () => {
  const { clock, gate, members } = setUp(3);
  for (const member of members) member.hold(200);
  await clock.advance(249);
  assert.equal(members[0]!.isEvicted, false);
  await clock.advance(1);
  assert.deepEqual(evicted(members), ['slow_when_full', null, null], 'then there is room');
  assert.deepEqual(reading(members.slice(1)), [true, true]);
  assert.equal(gate.bytesHeld, 400);
});

test('who brings a byte now and then is closed as well', async () => {
  const { clock, members } = setUp(2, 100_000);
  for (const member of members) member.hold(60_000);
  for (let bytes = 60_001; bytes < 60_006; bytes += 1) {
    members[0]!.hold(bytes);
    await clock.advance(50);
  }
  assert.deepEqual(evicted(members), ['slow_when_full', null]);
  assert.deepEqual(reading(members.slice(1)), [true]);
});

test('a turn ends after 250 ms, and with its frame', async () => {
  const { clock, members } = setUp(3, 1_000_000);
  for (const member of members) member.hold(170_000);
  members[0]!.bytesRead += 70_000;
  await clock.advance(250);
  assert.deepEqual(reading(members), [false, true, false]);
  members[1]!.hold(100_000);
  assert.deepEqual(reading(members), [false, false, true], 'the next frame has begun');
});

test('nobody is closed while nobody else waits', async () => {
  const { clock, members } = setUp(1);
  members[0]!.hold(900);
  await clock.advance(60_000);
  assert.deepEqual([members[0]!.isReading, members[0]!.evictedWhy], [true, null]);
});

test('those that hold a frame open and send next to nothing go first, all at once', async () => {
  const { clock, members } = setUp(5);
  for (const member of members.slice(0, 3)) member.hold(150);
  await clock.advance(60_000);
  members[3]!.hold(200);
  const why = 'slow_when_full';
  assert.deepEqual(evicted(members), [why, why, null, null, null], 'no more of them than there must be');
  assert.deepEqual(reading(members.slice(2)), [true, true, true]);
});

test('who was stopped is not slow for that', async () => {
  const { clock, members } = setUp(3, 1_000_000);
  for (const member of members) member.hold(200_000);
  for (let i = 0; i < 40; i += 1) {
    await clock.advance(125);
    for (const member of members) if (member.isReading) member.bytesRead += 100_000;
  }
  members[0]!.hold(0);
  members[0]!.hold(250_000);
  assert.deepEqual(evicted(members), [null, null, null]);
});

test('who waits for us is not to blame while there is room for nobody', async () => {
  const { clock, members, room, enter } = setUp(2);
  room.hasRoom = false;
  members[0]!.hold(900);
  members[0]!.isWaiting = true;
  const other = enter('two');
  other.hold(50);
  await clock.advance(60_000);
  assert.deepEqual(reading([...members, other]), [false, false, true]);
  assert.equal(members[0]!.isEvicted, false);
  members[0]!.isWaiting = false;
  members[0]!.hold(0);
  assert.equal(members[0]!.isReading, true);
});

test('who holds nothing reads a piece, however many wait; the reserve for that is bounded', () => {
  const { members, enter, room, gate } = setUp(2, 8000);
  room.hasRoom = false;
  for (const member of members) {
    member.isWaiting = true;
    member.hold(2100);
  }
  const others = Array.from({ length: 3 }, () => enter('one'));
  assert.deepEqual(reading(others), [true, true, true]);
  others[0]!.hold(100);
  assert.deepEqual(reading(others), [false, true, true], 'it holds something now');
  others[1]!.hold(200);
  assert.deepEqual(reading(others), [false, false, false], 'an eighth of the limit is held');
  assert.equal(enter('two').isReading, true, 'of this network');
  others[1]!.hold(0);
  assert.deepEqual(reading(others), [false, true, true]);
  for (const member of [...members, ...others]) member.hold(0);
  assert.deepEqual([gate.bytesHeld, ...reading(others)], [0, true, true, true]);
});

for (const isAnyoneStopped of [true, false]) {
  test(`those that wait and stop ${isAnyoneStopped ? 'others go, the largest first' : 'nobody are left'}`, async () => {
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
    if (isAnyoneStopped) assert.equal(enter('b').isReading, false);
    await clock.advance(900);
    assert.deepEqual(evicted(members), [null, null, null, null, null], 'they may be done soon');
    await clock.advance(300);
    const why = isAnyoneStopped ? 'waiting_when_full' : null;
    assert.deepEqual(evicted(members), [null, why, why, null, null]);
    assert.equal(gate.bytesHeld, isAnyoneStopped ? 4700 : 8200);
  });
}

test('nobody is closed for waiting while those that wait drain, or there was no room a moment ago', async () => {
  const { clock, members, room } = setUp(30, 8000);
  for (const member of members.slice(0, 24)) {
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
    await clock.advance(200);
    room.hasRoom = true;
    await clock.advance(800);
  }
  assert.ok(members.every(({ isEvicted }) => !isEvicted));
  await clock.advance(500);
  assert.ok(members.some(({ isEvicted }) => isEvicted));
});

test('whoever has left counts no more, whatever is told of it', () => {
  const { gate, members } = setUp(2);
  for (const member of members) member.hold(300);
  gate.leave(members[0]!.pass);
  members[0]!.hold(900);
  gate.leave(members[0]!.pass);
  assert.equal(gate.bytesHeld, 300);
  assert.equal(members[1]!.isReading, true);
});

test('whatever happens, the gate opens again and nothing is left in the books', async () => {
  const { clock, gate, enter } = setUpGate(10_000);
  const members = Array.from({ length: 200 }, (_, i) => enter(`${i % 7}`));
  members.forEach((member, i) => member.hold((i * 37) % 400));
  await clock.advance(250 * 200 * 2);
  assert.ok(gate.bytesHeld <= 10_000);
  const left = members.filter(({ isEvicted }) => !isEvicted);
  assert.ok(left.length > 20 && left.every(({ isReading }) => isReading), `${left.length} are left`);
  for (const { pass } of left) gate.leave(pass);
  assert.equal(gate.bytesHeld, 0);
});
