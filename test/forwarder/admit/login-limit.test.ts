// How fast one address may guess at a secret, whatever it does.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LoginLimit } from '#forwarder/admit/login-limit.ts';
import { VirtualClock } from '#test/memory/clock.ts';

const PER_SECOND = 10;
const AT_ONCE = 30;

function limited() {
  const clock = new VirtualClock();
  const held: string[] = [];
  const logins = new LoginLimit({ clock, pace: { hold: (peer) => Promise.resolve(void held.push(peer)) } });
  /** How many of `n` wrong secrets are looked at. */
  const guess = (peer: string, n: number): number => {
    let looks = 0;
    for (let i = 0; i < n; i++) {
      if (!logins.mayLook(peer, { connection: {}, secret: String(i) })) continue;
      looks += 1;
      void logins.wrong(peer);
    }
    return looks;
  };
  return { clock, held, logins, guess };
}

test('thirty at once, then ten a second; each waits for its answer', async () => {
  const { clock, held, guess } = limited();
  assert.equal(guess('192.0.2.1', 1000), AT_ONCE);
  assert.deepEqual(held, Array(AT_ONCE).fill('192.0.2.1'));
  await clock.advance(1000);
  assert.equal(guess('192.0.2.1', 1000), PER_SECOND);
  await clock.advance(3_600_000);
  assert.equal(guess('192.0.2.1', 1000), AT_ONCE);
});

test('all addresses of an IPv6 network of 64 bits are one; nobody else is held back', () => {
  const { guess, logins } = limited();
  assert.equal(guess('2001:db8::1', 20) + guess('2001:db8::2', 1000), AT_ONCE);
  for (const other of ['2001:db8:0:1::1', '192.0.2.1', 'unix']) assert.ok(logins.mayLook(other), other);
});

test('a connection may show again what let it in, and nothing else', () => {
  const { guess, logins } = limited();
  const [ours, another] = [{}, {}];
  logins.right({ connection: ours, secret: 'right' });
  guess('192.0.2.1', 1000);
  assert.ok(logins.mayLook('192.0.2.1', { connection: ours, secret: 'right' }));
  for (const secret of ['righT', 'right ', '']) assert.ok(!logins.mayLook('192.0.2.1', { connection: ours, secret }));
  assert.ok(!logins.mayLook('192.0.2.1', { connection: another, secret: 'right' }));
  assert.ok(!logins.mayLook('192.0.2.1'));
});

test('a token that is taken away, shown by all whom it had let in, holds nobody back for long', async () => {
  const { clock, logins } = limited();
  const shown = Array.from({ length: 1000 }, () => ({ connection: {}, secret: 'right' }));
  for (const each of shown) logins.right(each);
  for (const each of shown) {
    assert.ok(logins.mayLook('192.0.2.1', each));
    void logins.wrong('192.0.2.1');
  }
  assert.ok(!logins.mayLook('192.0.2.1'));
  await clock.advance(100);
  assert.ok(logins.mayLook('192.0.2.1'));
});

test('who is right costs nothing, and gets in beside a slow guesser', async () => {
  const { clock, guess, logins } = limited();
  for (let i = 0; i < 1000; i++) assert.ok(logins.mayLook('192.0.2.1'));
  for (let i = 0; i < 100; i++) {
    guess('192.0.2.1', 1);
    assert.ok(logins.mayLook('192.0.2.1'));
    await clock.advance(200);
  }
});

test('whatever addresses do, none gets more guesses than its rate, nor are more remembered than may be', async () => {
  const step = fc.record({
    peer: fc.constantFrom('a', 'b', '2001:db8::1', '2001:db8::2'),
    ms: fc.nat(500),
    n: fc.nat(50),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { clock, guess } = limited();
      const looks = new Map<string, number>();
      for (const { peer, ms, n } of steps) {
        await clock.advance(ms);
        const name = peer.startsWith('2001') ? '2001' : peer;
        looks.set(name, (looks.get(name) ?? 0) + guess(peer, n));
        assert.ok((looks.get(name) ?? 0) <= AT_ONCE + (PER_SECOND * clock.monotonicMs()) / 1000);
      }
    }),
    { numRuns: 30 },
  );
});

test('who guesses is not forgotten for others who do', () => {
  const { guess } = limited();
  assert.equal(guess('192.0.2.1', 1000), AT_ONCE);
  for (let i = 0; i < 9_999; i++) guess(`10.0.${i >> 8}.${i & 255}`, 1);
  assert.equal(guess('192.0.2.1', 1000), 0);
});
