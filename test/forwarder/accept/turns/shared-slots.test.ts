import assert from 'node:assert/strict';
import { test } from 'node:test';
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
