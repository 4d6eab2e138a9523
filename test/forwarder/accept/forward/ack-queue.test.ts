import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AckQueue } from '#forwarder/accept/forward/ack-queue.ts';

/** Gives the answers `given`, by their places, and tells what was written, each write by itself. */
function written(places: number, given: readonly number[]): string[] {
  const writes: string[] = [];
  const answers = new AckQueue((answer) => writes.push(Buffer.from(answer).toString()));
  const owed = Array.from({ length: places }, () => answers.owe());
  for (const place of given) answers.give(owed[place]!, Buffer.from(`ack ${place}`));
  return writes;
}

function check(title: string, places: number, given: readonly number[], expected: readonly number[]) {
  test(title, () =>
    assert.deepEqual(
      written(places, given),
      expected.map((place) => `ack ${place}`),
    ),
  );
}

check('each is a write of its own', 3, [0, 1, 2], [0, 1, 2]);
check('none before its turn', 3, [1, 2], []);
check('the first lets all go that waited for it', 4, [2, 1, 0], [0, 1, 2]);
check('one that never comes holds back those behind it', 3, [0, 2], [0]);

test('behind one that is not held nothing is answered, before it all is', () => {
  const writes: string[] = [];
  const answers = new AckQueue((answer) => writes.push(Buffer.from(answer).toString()));
  const [first, second, third] = [answers.owe(), answers.owe(), answers.owe()];
  answers.give(third, Buffer.from('third'));
  answers.cut(second);
  answers.give(answers.owe(), Buffer.from('fourth'));
  assert.deepEqual(writes, []);
  answers.give(first, Buffer.from('first'));
  assert.deepEqual(writes, ['first']);
});

test('that an answer was written is told when it goes out, once, and never of one that is cut', () => {
  const told: string[] = [];
  const answers = new AckQueue((answer) => told.push(`write ${Buffer.from(answer).toString()}`));
  const [first, second, third] = [answers.owe(), answers.owe(), answers.owe()];
  answers.give(second, Buffer.from('2'), () => told.push('2 written'));
  answers.cut(third);
  answers.give(third, Buffer.from('3'), () => told.push('3 written'));
  assert.equal(told.length, 0);
  answers.give(first, Buffer.from('1'), () => told.push('1 written'));
  assert.deepEqual(told, ['write 1', '1 written', 'write 2', '2 written']);
});
