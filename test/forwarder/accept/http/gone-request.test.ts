// A request whose connection ends in the middle of its body: nothing of it is kept.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Clock, systemClock } from '#shared/clock.ts';
import { Fixture } from './http-fixture.ts';

/** Counts the timers that are set, and neither due nor disposed of. */
function countingClock(): { readonly clock: Clock; readonly open: Set<object> } {
  const open = new Set<object>();
  const clock: Clock = {
    ...systemClock,
    timer: (ms, action) => {
      const timer = systemClock.timer(ms, () => {
        open.delete(handle);
        action();
      });
      const handle = {
        [Symbol.dispose]: () => {
          open.delete(handle);
          timer[Symbol.dispose]();
        },
      };
      open.add(handle);
      return handle;
    },
  };
  return { clock, open };
}

for (const [what, ending] of [
  ['reset', (socket: { resetAndDestroy(): unknown }) => socket.resetAndDestroy()],
  ['closed', (socket: { end(): unknown }) => socket.end()],
] as const) {
  test(`a body whose connection is ${what} leaves no timer behind, which would keep its bytes until it is due`, async () => {
    const { clock, open } = countingClock();
    await using fixture = await Fixture.start({}, clock);
    const before = open.size;
    const raw = await fixture.raw();
    raw.write(`POST /a.b HTTP/1.1\r\nhost: a\r\ncontent-length: 60000\r\n\r\n[${' '.repeat(32 * 1024)}`);
    while (open.size === before) await nextTurn();
    ending(raw.socket);
    while (fixture.rejected.length === 0) await nextTurn();
    await nextTurn();
    assert.deepEqual(
      fixture.rejected.map(([code]) => code),
      ['request_malformed'],
    );
    assert.equal(open.size, before);
  });
}
