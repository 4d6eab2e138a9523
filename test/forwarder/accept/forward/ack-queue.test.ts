import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AckQueue } from '#forwarder/accept/forward/ack-queue.ts';

/** Notes each write by itself. */
function setUp() {
  const writes: string[] = [];
  const answers = new AckQueue((answer) => {
    writes.push(Buffer.from(answer).toString());
    return true;
  });
  return { writes, answers };
}

/** When all that was due has been written. */
const later = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

/**
 * Gives the answers `given`, by their places, each list in a moment of its own, and tells what was written, each write
 * by itself.
 */
async function written(places: number, given: readonly (readonly number[])[]): Promise<string[]> {
  const { writes, answers } = setUp();
  const owed = Array.from({ length: places }, () => answers.owe());
  for (const moment of given) {
    for (const place of moment) answers.give(owed[place]!, Buffer.from(`<${place}>`));
    await later();
  }
  return writes;
}

function check(title: string, places: number, given: readonly (readonly number[])[], expected: readonly string[]) {
  test(title, async () => assert.deepEqual(await written(places, given), expected));
}

check('each of a moment of its own is a write of its own', 3, [[0], [1], [2]], ['<0>', '<1>', '<2>']);
check('those that are due together are one write', 4, [[0, 1, 2], [3]], ['<0><1><2>', '<3>']);
check('none before its turn', 3, [[1, 2]], []);
check('the first lets all go that waited for it', 4, [[2], [1], [0]], ['<0><1><2>']);
check('whatever comes first of a moment', 4, [[2, 0, 3, 1]], ['<0><1><2><3>']);
check('one that never comes holds back those behind it', 3, [[0, 2]], ['<0>']);

test('those of promises that are resolved in one turn are one write, however many come before them', async () => {
  const { writes, answers } = setUp();
  const held = Array.from({ length: 3 }, () => Promise.withResolvers<void>());
  const given = held.map(async ({ promise }, i) => {
    const place = answers.owe();
    await promise;
    // Some have further to go than others.
    for (let steps = 0; steps < i; steps++) await Promise.resolve();
    answers.give(place, Buffer.from(`${i}`));
  });
  await new Promise<void>((resolve) => {
    setImmediate(() => {
      for (const { resolve: hold } of held) hold();
      setImmediate(resolve);
    });
  });
  await Promise.all(given);
  assert.deepEqual(writes, ['012']);
});

test('a flush writes at once what is due, and nothing twice', async () => {
  const { writes, answers } = setUp();
  const [first, second] = [answers.owe(), answers.owe()];
  answers.give(first, Buffer.from('1'));
  assert.equal(answers.count, 2);
  answers.flush();
  assert.deepEqual(writes, ['1']);
  assert.equal(answers.count, 1);
  answers.give(second, Buffer.from('2'));
  await later();
  assert.deepEqual(writes, ['1', '2']);
});

test('behind one that is not held nothing is answered, before it all is', async () => {
  const { writes, answers } = setUp();
  const [first, second, third] = [answers.owe(), answers.owe(), answers.owe()];
  answers.give(third, Buffer.from('third'));
  answers.cut(second);
  answers.give(answers.owe(), Buffer.from('fourth'));
  await later();
  assert.deepEqual(writes, []);
  answers.give(first, Buffer.from('first'));
  await later();
  assert.deepEqual(writes, ['first']);
});

test('what is cut in the moment in which those before it are given is not answered', async () => {
  const { writes, answers } = setUp();
  const [first, second] = [answers.owe(), answers.owe()];
  answers.give(first, Buffer.from('first'));
  answers.give(second, Buffer.from('second'));
  answers.cut(second);
  await later();
  assert.deepEqual(writes, ['first']);
});

test('that an answer was written is told when it goes out, once, and never of one that is cut', async () => {
  const told: string[] = [];
  const answers = new AckQueue((answer) => {
    told.push(`write ${Buffer.from(answer).toString()}`);
    return true;
  });
  const [first, second, third] = [answers.owe(), answers.owe(), answers.owe()];
  answers.give(second, Buffer.from('2'), () => told.push('2 written'));
  answers.cut(third);
  answers.give(third, Buffer.from('3'), () => told.push('3 written'));
  await later();
  assert.equal(told.length, 0);
  answers.give(first, Buffer.from('1'), () => told.push('1 written'));
  await later();
  assert.deepEqual(told, ['write 12', '1 written', '2 written']);
});

test('of what nobody is there to read it is not told that it was written', async () => {
  let told = 0;
  const answers = new AckQueue(() => false);
  answers.give(answers.owe(), Buffer.from('1'), () => (told += 1));
  await later();
  assert.equal(told, 0);
});

test('counts the bytes of answers that wait for those before them, and of none that are written or cut', async () => {
  const { answers } = setUp();
  const [first, second, third, fourth] = Array.from({ length: 4 }, () => answers.owe());
  answers.give(second!, Buffer.alloc(10));
  answers.give(fourth!, Buffer.alloc(100));
  assert.equal(answers.bytes, 110);
  answers.give(first!, Buffer.alloc(1));
  await later();
  assert.equal(answers.bytes, 100);
  answers.cut(third!);
  assert.equal(answers.bytes, 0);
  answers.give(third!, Buffer.alloc(5));
  answers.give(answers.owe(), Buffer.alloc(5));
  assert.equal(answers.bytes, 0);
});
