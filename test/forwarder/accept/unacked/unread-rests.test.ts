// What waits for its turn: how often connections are told whether they may read.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type RestPass, UnreadRests } from '#forwarder/accept/unacked/unread-rests.ts';

test('many connections whose rests go and come near the bound are told seldom', () => {
  const rests = new UnreadRests(2_000_000);
  let told = 0;
  const enter = (): RestPass => rests.enter({ flow: () => (told += 1) }, 'one');
  const passes = Array.from({ length: 2048 }, enter);
  const holding = passes.slice(0, 2001);
  for (const pass of holding) rests.update(pass, 500);
  assert.ok(!rests.mayRead(passes[0]!), 'more than a half is held');
  told = 0;
  // Each in turn takes its rest, and another one brings as much.
  for (const [i, pass] of holding.entries()) {
    rests.update(pass, 0);
    rests.update(passes[(i + holding.length) % passes.length]!, 500);
  }
  assert.ok(told <= 2 * passes.length, `told ${told} times`);
});

test('a network that was stopped goes on when it has a half of what it leaves free', () => {
  const rests = new UnreadRests(900);
  const pass = rests.enter({ flow() {} }, 'one');
  rests.update(pass, 451);
  assert.equal(rests.mayRead(pass), false);
  rests.update(pass, 301);
  assert.equal(rests.mayRead(pass), false);
  rests.update(pass, 300);
  assert.equal(rests.mayRead(pass), true);
  rests.update(pass, 450);
  assert.equal(rests.mayRead(pass), true);
});

test('a network that has nothing may read, also while all others together have more than the bound', () => {
  const rests = new UnreadRests(900);
  const passes = Array.from({ length: 20 }, (_, i) => rests.enter({ flow() {} }, `network ${i}`));
  for (const pass of passes) rests.update(pass, 100);
  assert.ok(rests.bytes > 900);
  for (const pass of passes) {
    rests.update(pass, 0);
    assert.equal(rests.mayRead(pass), true);
  }
});
