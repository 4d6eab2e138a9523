// When tokens are asked for, and which one is given out, on a clock that the test drives.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Token, TokenSource } from '#shared/queue/kafka/kafkajs/login/token-source.ts';
import { VirtualClock } from '#test/memory/clock.ts';

const LIFETIME_MS = 100_000;

class World {
  readonly clock = new VirtualClock();
  asked = 0;
  /** Instead of a token. */
  failure: Error | null = null;
  /** Until it resolves, nothing answers. */
  answers: Promise<void> = Promise.resolve();
  /** How far the clock of the day is off. */
  epochOffMs = 0;
  readonly source = new TokenSource({
    clock: {
      monotonicMs: () => this.clock.monotonicMs(),
      epochMs: () => this.clock.epochMs() + this.epochOffMs,
      sleep: (ms, signal) => this.clock.sleep(ms, signal),
      timer: (ms, action) => this.clock.timer(ms, action),
    },
    random: () => 0.5,
    ask: async (): Promise<Token> => {
      this.asked++;
      const value = `token ${this.asked}`;
      await this.answers;
      if (this.failure !== null) throw this.failure;
      return { value, lifetimeMs: LIFETIME_MS };
    },
  });

  async value(): Promise<string> {
    return (await this.source.token()).value;
  }

  pass(ms: number): Promise<void> {
    return this.clock.advance(ms);
  }
}

test('one request is under way, whoever asks, and serves them all', async () => {
  const world = new World();
  const values = await Promise.all([world.value(), world.value(), world.value()]);
  assert.deepEqual(values, ['token 1', 'token 1', 'token 1']);
  assert.equal(world.asked, 1);
});

test('the old one serves while the next one is on its way, and no longer than it holds', async () => {
  const world = new World();
  await world.value();
  await world.pass(LIFETIME_MS * 0.7);
  assert.equal(await world.value(), 'token 1');
  assert.equal(world.asked, 1, 'within its share');
  const answer = Promise.withResolvers<void>();
  world.answers = answer.promise;
  await world.pass(LIFETIME_MS * 0.1);
  assert.deepEqual([await world.value(), await world.value(), world.asked], ['token 1', 'token 1', 2]);
  await world.pass(LIFETIME_MS * 0.15);
  const next = world.value();
  answer.resolve();
  assert.deepEqual([await next, world.asked], ['token 2', 2], 'the request under way is waited for');
});

test('a failure is not seen while the old one holds; then it is told, and pauses grow', async () => {
  const world = new World();
  await world.value();
  await world.pass(LIFETIME_MS * 0.9);
  world.failure = new Error('away');
  assert.equal(await world.value(), 'token 1');
  await world.clock.settle();
  assert.equal(await world.value(), 'token 1');
  assert.equal(world.asked, 2, 'not again within the pause');
  await world.pass(LIFETIME_MS * 0.05);
  await assert.rejects(world.value(), /away/);
  assert.equal(world.asked, 3);
  await assert.rejects(world.value(), /away/);
  assert.equal(world.asked, 3, 'told at once within the pause');
  for (let i = 0; i < 20; i++) {
    await world.pass(15_000);
    await assert.rejects(world.value(), /away/);
  }
  assert.equal(world.asked, 23, 'the pause ends at 30 s, half of it by chance');
  world.failure = null;
  await world.pass(15_000);
  assert.equal(await world.value(), 'token 24');
});

test('clocks that jump end a token early, never late', async () => {
  const slept = new World();
  await slept.value();
  slept.epochOffMs = LIFETIME_MS;
  assert.equal(await slept.value(), 'token 2', 'the machine slept');
  const setBack = new World();
  await setBack.value();
  setBack.epochOffMs = -86_400_000;
  await setBack.pass(LIFETIME_MS);
  assert.equal(await setBack.value(), 'token 2', 'the clock was set back');
});

test('a token that a broker refused is not given out again', async () => {
  const world = new World();
  const first = await world.source.token();
  const again = await world.source.token();
  assert.deepEqual([first.isNew, again.isNew], [true, false]);
  world.source.refused(again, new Error('revoked'));
  const second = await world.source.token();
  assert.deepEqual(second, { value: 'token 2', isNew: true }, 'it was held: another may do better');
  world.source.refused(again, new Error('late'));
  assert.equal(await world.value(), 'token 2', 'an old refusal says nothing of the new one');
  world.source.refused(second, new Error('wrong audience'));
  await assert.rejects(world.value(), /wrong audience/, 'it was new: nobody asks in a hurry');
  await world.pass(1000);
  assert.equal(await world.value(), 'token 3');
});
