// How long files under a name of rotation are waited for.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Settling } from '#forwarder/collect/walk/settling.ts';
import { type Clock, systemClock } from '#shared/clock.ts';

const BEGAN_MS = 1_800_000_000_000;

/** A file, asked about at times. */
class Asked {
  nowMs = 0;
  /** By how much the clock is ahead of the files' times. */
  jumpMs = 0;
  /** Written when the test began. */
  file = { identity: '1', size: 10, writtenMs: BEGAN_MS, base: '/a.log' };
  readonly #clock: Clock = {
    ...systemClock,
    monotonicMs: () => this.nowMs,
    epochMs: () => BEGAN_MS + this.nowMs + this.jumpMs,
  };
  readonly settling = new Settling(this.#clock);

  settled(nowMs: number, isFirstWalk = false): boolean {
    this.nowMs = nowMs;
    return this.settling.isSettled(this.file, isFirstWalk);
  }

  grow(): void {
    this.file = { ...this.file, size: this.file.size + 1, writtenMs: BEGAN_MS + this.nowMs };
  }
}

test('a file is settled when nothing was written to it for a second, or it is written for a minute', () => {
  const quiet = new Asked();
  assert.deepEqual([0, 999, 1000, 1001].map((ms) => quiet.settled(ms)), [false, false, true, true]); // prettier-ignore
  const written = new Asked();
  for (let ms = 0; ms < 60_000; ms += 900) {
    assert.equal(written.settled(ms), false);
    assert.deepEqual([...written.settling.sources()], ['/a.log']);
    written.grow();
  }
  assert.equal(written.settled(60_000), true);
  assert.deepEqual([...written.settling.sources()], []);
  // At the start: one that was written a while ago is not waited for.
  assert.deepEqual([new Asked().settled(0, true), new Asked().settled(2001, true)], [false, true]);
});

test('a compressed file that is not whole is waited for, a minute from its last byte on', () => {
  const asked = new Asked();
  asked.settled(0);
  assert.equal(asked.settled(1000), true);
  assert.equal(asked.settling.mayGrow(asked.file), true);
  assert.deepEqual(
    [asked.settled(2000), asked.settled(50_000), [...asked.settling.sources()].length],
    [false, false, 1],
  );
  // It goes on: settled as any other, and asked for again where it is still not whole.
  asked.grow();
  assert.deepEqual([asked.settled(51_000), asked.settled(52_000)], [false, true]);
  assert.equal(asked.settling.mayGrow(asked.file), true);
  assert.deepEqual([asked.settled(111_999), asked.settled(112_000, true)], [false, true]);
  assert.equal(asked.settling.mayGrow(asked.file), false);
  // At a start, too.
  const again = new Asked();
  assert.equal(again.settled(3000, true), true);
  assert.equal(again.settling.mayGrow(again.file), true);
  assert.equal(again.settled(4000, true), false);
  // One that was left so long ago is what it is.
  const old = new Asked();
  old.nowMs = 60_000;
  assert.equal(old.settling.mayGrow(old.file), false);
  // One that is gone is not waited for.
  again.settling.keep(new Set());
  assert.deepEqual([...again.settling.sources()], []);
});

test('a clock that jumps ahead makes no copy that is being written an old one', () => {
  // Seen to grow, before and after the clock jumps.
  const grown = new Asked();
  grown.settled(0);
  grown.nowMs = 500;
  grown.grow();
  assert.deepEqual([grown.settled(500), grown.settled(1500)], [false, true]);
  grown.jumpMs = 86_400_000;
  assert.equal(grown.settling.mayGrow(grown.file), true);
  // At a start, beside files that are written just now.
  const begun = new Asked();
  begun.jumpMs = 86_400_000;
  begun.settling.newestMs = BEGAN_MS + 1000;
  assert.equal(begun.settled(100, true), false);
  assert.equal(begun.settled(1100, true), true);
  assert.equal(begun.settling.mayGrow(begun.file), true);
  const old = new Asked();
  old.settling.newestMs = BEGAN_MS + 60_000;
  old.jumpMs = 86_400_000;
  assert.deepEqual([old.settled(100, true), old.settling.mayGrow(old.file)], [true, false]);
});
