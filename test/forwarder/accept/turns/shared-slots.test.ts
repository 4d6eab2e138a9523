import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SharedSlots } from '#forwarder/accept/turns/shared-slots.ts';

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('who has many under way leaves slots to others; each that ends lets one more of its sender in', async () => {
  const slots = new SharedSlots({ all: 3, ofOne: 2 });
  const { signal } = new AbortController();
  const had: Disposable[] = [];
  const enter = (sender: string): void => void slots.enter(sender, signal).then((slot) => had.push(slot));
  for (let i = 0; i < 5; i += 1) enter('hog');
  await settled();
  assert.equal(had.length, 2);
  enter('good');
  await settled();
  assert.equal(had.length, 3, 'it waits for none of them');
  had[0]?.[Symbol.dispose]();
  await settled();
  assert.equal(had.length, 4);
});

test('who is gone waits for nothing, and leaves nothing', async () => {
  const slots = new SharedSlots({ all: 1, ofOne: 1 });
  const first = await slots.enter('a', new AbortController().signal);
  const gone = new AbortController();
  const waits = ['a', 'b'].map((sender) => slots.enter(sender, gone.signal));
  await settled();
  gone.abort(new Error('gone'));
  for (const wait of waits) await assert.rejects(wait, { message: 'gone' });
  first[Symbol.dispose]();
  using _next = await slots.enter('b', new AbortController().signal);
});

const [ALL, OF_ONE] = [4, 2];
const step = fc.record({
  kind: fc.constantFrom('enter', 'enter', 'enter', 'try', 'leave', 'leave', 'abort'),
  sender: fc.constantFrom('a', 'b', 'c', 'd'),
  at: fc.nat(20),
});

test('never more at once than of all and of one, and nobody waits for what is free', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const slots = new SharedSlots({ all: ALL, ofOne: OF_ONE });
      const had: { readonly sender: string; readonly slot: Disposable }[] = [];
      const waiting: { readonly sender: string; readonly over: AbortController }[] = [];
      const countOf = (name: string): number => had.filter((one) => one.sender === name).length;
      for (const one of steps) {
        if (one.kind === 'enter') {
          const waiter = { sender: one.sender, over: new AbortController() };
          waiting.push(waiter);
          slots.enter(one.sender, waiter.over.signal).then(
            (slot) => {
              waiting.splice(waiting.indexOf(waiter), 1);
              had.push({ sender: one.sender, slot });
            },
            () => waiting.splice(waiting.indexOf(waiter), 1),
          );
        } else if (one.kind === 'try') {
          const mayEnter = had.length < ALL && countOf(one.sender) < OF_ONE;
          const slot = slots.tryEnter(one.sender);
          assert.equal(slot !== null, mayEnter, one.sender);
          if (slot) had.push({ sender: one.sender, slot });
        } else if (one.kind === 'leave') {
          had.splice(one.at % Math.max(1, had.length), 1)[0]?.slot[Symbol.dispose]();
        } else {
          waiting[one.at]?.over.abort();
        }
        await settled();
        assert(had.length <= ALL);
        for (const { sender: name } of had) assert(countOf(name) <= OF_ONE, name);
        for (const { sender: name } of waiting) assert(had.length === ALL || countOf(name) === OF_ONE, name);
      }
      for (const { over } of waiting) over.abort();
      for (const { slot } of had) slot[Symbol.dispose]();
      await settled();
      // Nothing is left of any of it.
      for (let i = 0; i < ALL; i += 1) assert(slots.tryEnter(`new ${i}`));
      assert.equal(slots.tryEnter('beyond'), null);
    }),
  );
});
