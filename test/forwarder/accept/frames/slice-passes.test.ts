// Who may take a frame in slices, and when: how many at once, whose turn is next, and what of the budget they have.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PASSES_MAX, SlicePasses } from '#forwarder/accept/frames/slice-passes.ts';
import { ByteBudget } from '#shared/byte-budget.ts';

const MIB = 1024 * 1024;
const here = new AbortController().signal;
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function setUp(bytesMax = 18 * MIB) {
  const unpacking = new ByteBudget(bytesMax + 20 * MIB);
  const passes = new SlicePasses({ unpacking, bytesMax });
  const began: string[] = [];
  const turns = new Map<string, Disposable>();
  const enter = (name: string, signal = here): Promise<void> =>
    passes.enter(name.slice(0, 1), 'zstd', signal).then((turn) => {
      began.push(name);
      turns.set(name, turn);
    });
  const end = async (name: string): Promise<void> => {
    turns.get(name)?.[Symbol.dispose]();
    await settled();
  };
  return { unpacking, passes, began, enter, end };
}

test('two at once; then the sender whose last turn is longest ago, and of one sender who came first', async () => {
  const { passes, began, enter, end } = setUp();
  const all = ['a1', 'a2', 'a3', 'a4', 'b1', 'a5', 'c1', 'b2'].map((name) => enter(name));
  await settled();
  assert.equal(PASSES_MAX, 2);
  assert.deepEqual(began, ['a1', 'a2']);
  const order = [...began];
  for (let i = 0; i < all.length; i += 1) {
    assert.ok(passes.running <= PASSES_MAX);
    await end(began[i] ?? '');
  }
  await Promise.all(all);
  order.push('a3', 'b1', 'c1', 'a4', 'b2', 'a5');
  assert.deepEqual(began, order);
  assert.equal(passes.running, 0);
});

test('however many new names come, they do not go before who came earlier', async () => {
  const { passes, began, enter, end } = setUp();
  await enter('a1');
  await end('a1');
  // Each has a name of its own, and another comes for each that ends.
  const names = Array.from('bcdefghijklmnopqrstuvwxyz');
  const all = names.splice(0, 4).map((name) => enter(name));
  all.push(enter('a2'));
  await settled();
  for (let ended = 1; ended < began.length; ended += 1) {
    const [name] = names.splice(0, 1);
    if (name !== undefined) all.push(enter(name));
    await end(began[ended] ?? '');
  }
  await Promise.all(all);
  assert.deepEqual(began.slice(0, 6), ['a1', 'b', 'c', 'a2', 'd', 'e']);
  assert.equal(passes.running, 0);
});

test('whoever is gone does not wait, and takes no turn, neither before nor while it waits for memory', async () => {
  const { unpacking, passes, began, enter, end } = setUp();
  const gone = new AbortController();
  const first = [enter('a1'), enter('b1')];
  const waiting = enter('c1', gone.signal);
  gone.abort(new Error('gone'));
  await assert.rejects(waiting, /gone/);
  await assert.rejects(enter('d1', gone.signal), /gone/);
  await Promise.all(first);
  await end('a1');
  assert.equal(passes.running, 1);
  const all = await unpacking.acquire(29 * MIB);
  const away = new AbortController();
  const hungry = enter('e1', away.signal);
  await settled();
  assert.equal(passes.running, 2);
  away.abort(new Error('away'));
  await assert.rejects(hungry, /away/);
  all[Symbol.dispose]();
  await end('b1');
  assert.deepEqual(began, ['a1', 'b1']);
  assert.equal(unpacking.bytesHeld, 0);
  assert.equal(passes.running, 0);
});

test('decoders and what is large are within the budget; of what is too large for it a part is asked for', async () => {
  const { unpacking, passes, enter, end } = setUp();
  await Promise.all([enter('a1'), enter('b1')]);
  assert.equal(unpacking.bytesHeld, 18 * MIB);
  const large = await passes.hold(1000 * MIB, null);
  assert.equal(large.bytes, 20 * MIB);
  let isHeld = false;
  const second = passes.hold(10 * MIB, here).then((permit) => {
    isHeld = true;
    permit[Symbol.dispose]();
  });
  await settled();
  assert.equal(isHeld, false);
  large[Symbol.dispose]();
  await second;
  await end('a1');
  await end('b1');
  assert.equal(unpacking.bytesHeld, 0);
});
