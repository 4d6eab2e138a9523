// What is suspect, from which try on, and until when.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Suspicion } from '#indexer/poison/suspicion.ts';

const suspects = (suspicion: Suspicion, offsets: readonly number[]): number[] =>
  offsets.filter((offset) => suspicion.isSuspect({ partition: 3, offset }));

test('nothing is, on the first try', () => {
  const suspicion = new Suspicion();
  for (const tries of [0, 1]) assert.equal(suspicion.assigned(3, tries), false);
  assert.deepEqual(suspects(suspicion, [0, 1, 2]), []);
  assert.equal(suspicion.moved(3, 5, 9), false);
  assert.equal(suspicion.has(3), false);
});

test('from the second on all is that was fetched before the first commit, and nothing behind it', () => {
  const suspicion = new Suspicion();
  assert.equal(suspicion.assigned(3, 2), true);
  assert.deepEqual(suspects(suspicion, [10, 1_000_000]), [10, 1_000_000]);
  assert.equal(suspicion.isSuspect({ partition: 4, offset: 10 }), false, 'another partition is not');
  assert.equal(suspicion.moved(3, 12, 20), false);
  assert.deepEqual(suspects(suspicion, [12, 19, 20, 21]), [12, 19]);
  assert.equal(suspicion.moved(3, 19, 40), false, 'what is fetched later does not count');
  assert.deepEqual(suspects(suspicion, [19, 20]), [19]);
  assert.equal(suspicion.moved(3, 20, 50), true, 'past it, once');
  assert.equal(suspicion.moved(3, 30, 50), false);
  assert.deepEqual(suspects(suspicion, [20, 21]), []);
});

test('nothing is any more where the first commit takes all that was fetched', () => {
  const suspicion = new Suspicion();
  suspicion.assigned(3, 7);
  assert.equal(suspicion.moved(3, 20, 20), true);
  assert.equal(suspicion.has(3), false);
});

test('from the fourth try on it is known that trying out has ended indexers', () => {
  const suspicion = new Suspicion();
  suspicion.assigned(1, 3);
  suspicion.assigned(2, 4);
  assert.deepEqual(
    [0, 1, 2].map((partition) => suspicion.hasFailed(partition)),
    [false, false, true],
  );
});
