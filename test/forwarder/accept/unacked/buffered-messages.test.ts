// Messages that were begun, with connections that are told what to do, and a virtual clock.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BufferedMessages, type BufferPass, type BufferOwner } from '#forwarder/accept/unacked/buffered-messages.ts';
import { VirtualClock } from '#test/memory/clock.ts';

class FakeBufferOwner implements BufferOwner {
  isWaiting = false;
  reliefs = 0;
  ends: string[] = [];
  readonly pass: BufferPass;
  readonly #held: BufferedMessages;
  /** What it cannot let go of. */
  readonly #kept: number;

  constructor(held: BufferedMessages, kept = 0, network = '') {
    this.#held = held;
    this.#kept = kept;
    this.pass = held.enter(this, network);
  }

  hold(bytes: number, isAnew = false): void {
    this.#held.update(this.pass, bytes, isAnew);
  }

  relieve(): void {
    this.reliefs += 1;
    this.hold(Math.min(this.pass.bytes, this.#kept));
  }

  evict(reason: string): void {
    this.ends.push(reason);
  }
}

function setUp() {
  const clock = new VirtualClock();
  const room = { hasRoom: true };
  const hasRoom = () => room.hasRoom;
  return { clock, room, held: new BufferedMessages({ bytesMax: 100_000, timeoutMs: 300_000, clock, hasRoom }) };
}

async function pass(clock: VirtualClock, ms: number): Promise<void> {
  const endMs = clock.monotonicMs() + ms;
  clock.timer(ms, () => undefined);
  while (clock.monotonicMs() < endMs) await clock.step();
}

test('the largest of the young, and the oldest of the small, pay', async () => {
  const { clock, held } = setUp();
  const [large, small] = [new FakeBufferOwner(held), new FakeBufferOwner(held)];
  large.hold(60_000);
  small.hold(50_000);
  assert.deepEqual([large.reliefs, small.reliefs], [1, 0]);
  await pass(clock, 60_000);
  large.hold(60_000);
  assert.deepEqual([large.reliefs, small.reliefs], [1, 1]);
  assert.equal(held.bytes, 60_000);
});

test('who cannot let go ends; who waits for us comes last', () => {
  const { held } = setUp();
  const [waiting, stubborn] = [new FakeBufferOwner(held), new FakeBufferOwner(held, 1e6)];
  waiting.isWaiting = true;
  waiting.hold(90_000);
  stubborn.hold(20_000);
  assert.deepEqual([waiting.reliefs, stubborn.ends], [0, ['slow_when_full']]);
  waiting.hold(101_000);
  assert.equal(waiting.reliefs, 1);
  assert.equal(held.bytes, 0);
});

test('a network that waits for us pays before others for what it holds most of', () => {
  const { held } = setUp();
  const waiting = Array.from({ length: 9 }, () => new FakeBufferOwner(held, 0, 'a'));
  for (const owner of waiting) {
    owner.isWaiting = true;
    owner.hold(11_000);
  }
  const good = new FakeBufferOwner(held, 0, 'b');
  good.hold(2000);
  assert.deepEqual([good.reliefs, good.ends], [0, []]);
  assert.equal(waiting.filter(({ reliefs }) => reliefs > 0).length, 1);
});

test('one that cannot be relieved takes the bound from nobody', () => {
  const { held } = setUp();
  const [broken, other] = [new FakeBufferOwner(held), new FakeBufferOwner(held)];
  broken.relieve = () => {
    throw new Error('broken');
  };
  assert.throws(() => broken.hold(101_000), /broken/);
  held.leave(broken.pass);
  other.hold(101_000);
  assert.deepEqual([other.reliefs, held.bytes], [1, 0]);
});

test('a message has a time limit, but for what is small or begun anew', async () => {
  const { clock, held } = setUp();
  const idle = new FakeBufferOwner(held, 1e6);
  const cut = new FakeBufferOwner(held, 1000);
  const small = new FakeBufferOwner(held, 1e6);
  const busy = new FakeBufferOwner(held, 1e6);
  const waiting = new FakeBufferOwner(held, 1e6);
  waiting.isWaiting = true;
  small.hold(1000);
  for (const owner of [idle, cut, busy, waiting]) owner.hold(5000);
  for (let i = 0; i < 4; i += 1) {
    await pass(clock, 100_000);
    busy.hold(5000 + i, true);
    if (idle.ends.length === 0) idle.hold(5000 + i);
  }
  assert.deepEqual([idle.ends, waiting.ends], [['frame_timeout'], ['frame_timeout']]);
  assert.deepEqual([cut.reliefs, cut.ends.length], [1, 0]);
  for (const owner of [small, busy]) assert.deepEqual([owner.reliefs, owner.ends.length], [0, 0]);
  assert.equal(held.bytes, 1000 + 1000 + 5003);
});

test('a piece that waits for its turn does not renew the time of its message', async () => {
  const { clock, held } = setUp();
  const [drip, anew, atChecks] = [
    new FakeBufferOwner(held, 1e6),
    new FakeBufferOwner(held, 1e6),
    new FakeBufferOwner(held, 1e6),
  ];
  for (const owner of [drip, anew, atChecks]) owner.hold(5000);
  held.rest(atChecks.pass, false);
  for (let i = 1; i <= 20; i += 1) {
    // Between the looks at all of them.
    await pass(clock, 20_000);
    for (const owner of [drip, anew, atChecks]) {
      if (owner.ends.length > 0) continue;
      held.rest(owner.pass, owner === anew);
      owner.hold(5000 + i);
      if (owner === atChecks) held.rest(owner.pass, false);
    }
  }
  assert.deepEqual([drip.ends, anew.ends, atChecks.ends], [['frame_timeout'], [], ['frame_timeout']]);
});

test('time stands still while nobody is read for want of room', async () => {
  const { clock, room, held } = setUp();
  const owner = new FakeBufferOwner(held, 1e6);
  owner.hold(5000);
  await pass(clock, 150_000);
  room.hasRoom = false;
  await pass(clock, 3_600_000);
  assert.deepEqual(owner.ends, []);
  room.hasRoom = true;
  await pass(clock, 120_000);
  assert.deepEqual(owner.ends, []);
  await pass(clock, 120_000);
  assert.deepEqual(owner.ends, ['frame_timeout']);
});

test('one network with many small beginnings pays before a large one of another', async () => {
  const { clock, held } = setUp();
  const large = new FakeBufferOwner(held, 0, 'good');
  large.hold(30_000);
  await pass(clock, 10_000);
  const many = Array.from({ length: 20 }, () => new FakeBufferOwner(held, 0, 'bad'));
  for (const owner of many) owner.hold(5000);
  assert.equal(large.reliefs, 0);
  assert.equal(
    many.reduce((sum, { reliefs }) => sum + reliefs, 0),
    6,
  );
  assert.equal(held.bytes, 100_000);
});
