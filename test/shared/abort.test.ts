// Waiting that ends where a signal is aborted.

import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import fc from 'fast-check';
import { granted, grantedOrAborted, unlessAborted } from '#shared/abort.ts';

test('what comes first counts, and the signal is let go of', async () => {
  const never = new Promise<number>(() => undefined);
  const broken = new Error('broken');
  const over = new AbortController();
  assert.equal(await unlessAborted(Promise.resolve(7), over.signal), 7);
  await assert.rejects(unlessAborted(Promise.reject(broken), over.signal), broken);
  assert.equal(getEventListeners(over.signal, 'abort').length, 0);
  const late = Promise.withResolvers<number>();
  const waits = [unlessAborted(never, over.signal), unlessAborted(late.promise, over.signal)];
  const ends = Promise.all(waits.map((wait) => assert.rejects(wait, /gone/)));
  over.abort(new Error('gone'));
  await ends;
  // Nobody waits for it, so it must not be a rejection that nobody handled.
  late.reject(broken);
  await assert.rejects(unlessAborted(never, over.signal), /gone/);
  assert.equal(getEventListeners(over.signal, 'abort').length, 0);
});

const order = fc.shuffledSubarray(['grant', 'abort', 'grant again', 'abort again'] as const, { minLength: 1 });
const setUp = fc.record({ order, isBefore: fc.boolean(), hasSignal: fc.boolean(), isAtOnce: fc.boolean() });

test('a question is granted or taken back, whichever comes first, and never both', async () => {
  await fc.assert(
    fc.asyncProperty(setUp, async ({ order, isBefore, hasSignal, isAtOnce }) => {
      const over = new AbortController();
      const reason = new Error('gone');
      if (isBefore) over.abort(reason);
      const log: string[] = [];
      let grant = (_value: number): void => undefined;
      const asked = granted<number>(
        (toGrant) => {
          log.push('asked');
          grant = toGrant;
          if (isAtOnce) grant(0);
          return () => log.push('taken back');
        },
        hasSignal ? over.signal : undefined,
      );
      const end = asked.then(
        (value) => `granted ${value}`,
        (error: unknown) => (error === reason ? 'gone' : 'broken'),
      );
      for (const what of order) {
        if (what.startsWith('grant')) grant(1);
        else over.abort(reason);
      }
      // Where nothing ends it, it waits.
      const pending = Symbol('pending');
      const got = await Promise.race([end, new Promise((resolve) => setImmediate(resolve, pending))]);
      const ends = hasSignal ? order : order.filter((what) => what.startsWith('grant'));
      const first = isBefore && hasSignal ? 'abort' : isAtOnce ? 'at once' : ends[0];
      if (first === undefined) assert.equal(got, pending);
      else if (first === 'at once') assert.equal(got, 'granted 0');
      else if (first.startsWith('grant')) assert.equal(got, 'granted 1');
      else assert.equal(got, 'gone');
      const wasAsked = !(isBefore && hasSignal);
      const wasTakenBack = wasAsked && first?.startsWith('abort') === true;
      assert.deepEqual(log, [...(wasAsked ? ['asked'] : []), ...(wasTakenBack ? ['taken back'] : [])]);
      if (got !== pending) assert.equal(getEventListeners(over.signal, 'abort').length, 0);
    }),
  );
});

test('who looks at the signal himself is told in either case', async () => {
  const over = new AbortController();
  let isTakenBack = false;
  const waiting = grantedOrAborted(() => () => (isTakenBack = true), over.signal);
  await grantedOrAborted((grant) => (setImmediate(grant), () => undefined), over.signal);
  over.abort();
  await waiting;
  assert(isTakenBack);
  await grantedOrAborted(() => assert.fail('nobody asks any more'), over.signal);
});
