// What many connections cost the gate that come and go in one turn of the event loop: how often it looks at one of
// them, or tells it something.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeMember, KIB, MIB, setUpGate } from './fake-gate-member.ts';

const MANY = 2048;
/** For each connection: a logarithm of how many there are, a few times. */
const LOOKS_EACH_MAX = 128;

let looks = 0;

/** Counts whoever reads the property. */
function counted(object: object, property: string, first: unknown): void {
  let value = first;
  const get = (): unknown => {
    looks += 1;
    return value;
  };
  const set = (now: unknown): void => {
    value = now;
  };
  Object.defineProperty(object, property, { get, set, configurable: true });
}

class CountedMember extends FakeMember {
  constructor(...given: ConstructorParameters<typeof FakeMember>) {
    super(...given);
    const { pass } = this;
    counted(this, 'isWaiting', false);
    counted(pass, 'bytes', 0);
    counted(pass.network, 'bytes', pass.network.bytes);
  }

  override flow(): void {
    looks += 1;
    super.flow();
  }
}

/** `networks`: how many they are spread over. */
function setUp(networks: number) {
  const given = setUpGate(64 * MIB);
  const members = Array.from({ length: MANY }, (_, i) => new CountedMember(given.gate, `${i % networks}`));
  return { ...given, members };
}

/** Of one turn of the event loop. */
function looksOf(work: () => void): number {
  const before = looks;
  work();
  return looks - before;
}

const MAX = MANY * LOOKS_EACH_MAX;

for (const networks of [1, 2, 64, MANY]) {
  const where = `of ${networks} networks`;
  test(`all begin, and all go, half of them waiting for us: ${where}`, async () => {
    const { gate, clock, members } = setUp(networks);
    for (const member of members.slice(0, MANY / 2)) member.isWaiting = true;
    const begun = looksOf(() => members.forEach((member) => member.hold(40 * KIB)));
    await clock.advance(1);
    const gone = looksOf(() => members.forEach((member) => gate.leave(member.pass)));
    assert.ok(begun <= MAX, `${begun} looks to begin`);
    assert.ok(gone <= MAX, `${gone} looks to go`);
    assert.equal(gate.bytesHeld, 0);
  });

  test(`many are slow while others wait for us, and one more begins: ${where}`, async () => {
    const { clock, members } = setUp(networks);
    for (const member of members) member.hold(10 * KIB);
    for (const member of members.slice(0, MANY / 2)) member.isWaiting = true;
    await clock.advance(2000);
    const taken = looksOf(() => members.forEach((member) => member.hold(member.isEvicted ? 0 : 40 * KIB)));
    assert.ok(taken <= MAX, `${taken} looks`);
  });

  test(`all is full, and a turn has brought much: ${where}`, async () => {
    const { clock, members } = setUp(networks);
    for (const member of members) if (member.isReading) member.hold(40 * KIB);
    const [turn] = members;
    let most = 0;
    for (let i = 0; i < 200; i += 1) {
      const reading = members.find(({ isReading, isEvicted }) => isReading && !isEvicted) ?? turn!;
      most = Math.max(
        most,
        looksOf(() => reading.isEvicted || reading.hold(reading.pass.bytes + 300 * KIB)),
      );
      const before = looks;
      await clock.advance(125);
      most = Math.max(most, looks - before);
    }
    assert.ok(most <= MAX, `${most} looks`);
  });
}

test('in each of many networks one waits for us and stops another: they go', async () => {
  const { clock, members } = setUp(MANY / 2);
  for (const member of members.slice(0, MANY / 2)) {
    member.hold(64 * KIB);
    member.isWaiting = true;
  }
  for (const member of members.slice(MANY / 2)) member.hold(4 * KIB);
  let most = 0;
  for (let i = 0; i < 20; i += 1) {
    const before = looks;
    await clock.advance(125);
    most = Math.max(most, looks - before);
  }
  assert.ok(members.some(({ evictedWhy }) => evictedWhy === 'waiting_when_full'));
  assert.ok(most <= MAX, `${most} looks`);
});

test('small frames of one network that end and begin while another is read by turns', async () => {
  const { members } = setUp(2);
  const [one, other] = [members.filter((_, i) => i % 2 === 0), members.filter((_, i) => i % 2 === 1)];
  for (const member of one) member.hold(64 * KIB);
  // What is left is little.
  for (const member of other) member.hold(10);
  const taken = looksOf(() => {
    for (let i = 0; i < MANY / 2; i += 1) {
      other[i]!.hold(20_000);
      other[i]!.hold(10);
      one[i]!.hold(63 * KIB);
      one[i]!.hold(64 * KIB);
    }
  });
  assert.ok(taken <= MAX, `${taken} looks`);
});
