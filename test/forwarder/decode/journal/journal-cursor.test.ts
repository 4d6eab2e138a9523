import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EntryNumbers, isCursor, writtenUs } from '#forwarder/decode/journal/journal-cursor.ts';

const BOOT = '7'.repeat(32);

function cursor(source: number, number: number | bigint, us = 5): string {
  const from = source.toString(16).padStart(32, '0');
  return `s=${from};i=${number.toString(16)};b=${BOOT};m=1;t=${us.toString(16)};x=a`;
}

test('gaps of each source are counted', () => {
  const numbers = new EntryNumbers();
  const check = (text: string, missing: number): void => assert.equal(numbers.take(text), missing, text);
  check(cursor(1, 10), 0);
  check(cursor(1, 11), 0);
  check(cursor(2, 500), 0);
  check(cursor(1, 15), 3);
  check(cursor(2, 501), 0);
  check(cursor(1, 12), 0);
  check(cursor(1, 16), 0);
  check('s=1;i=2', 0);
  check('', 0);
  check(cursor(3, 1), 0);
  check(cursor(3, 2n ** 64n - 1n), Number(2n ** 64n - 3n));
});

test('of many sources the latest are known', () => {
  const numbers = new EntryNumbers();
  for (let source = 0; source < 300; source += 1) assert.equal(numbers.take(cursor(source, 1)), 0);
  assert.equal(numbers.take(cursor(299, 3)), 1);
  assert.equal(numbers.take(cursor(0, 3)), 0);
});

test('when an entry was written, and what may be a cursor', () => {
  assert.equal(writtenUs(cursor(1, 1, 1_700_000_000_000_000)), 1_700_000_000_000_000);
  assert.equal(writtenUs('s=1;t=5'), null);
  for (const text of [cursor(1, 1), 'another form']) assert.equal(isCursor(text), text !== 'another form');
  for (const text of ['', '-f', 'a\nb', 'x'.repeat(513)]) assert.equal(isCursor(text), false, text);
});
