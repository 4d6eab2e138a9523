// Lines are found again in any bytes, each as the one that it is.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Chance, findLines, lineOf, writtenMs } from './lines.ts';

const TIME = '2026-01-02T03:04:05.678Z';

function check(bytes: Buffer, expected: readonly (readonly [file: number, number: number, ms: number])[]): void {
  const found: (readonly [number, number, number])[] = [];
  findLines(bytes, (file, number, at) => found.push([file, number, writtenMs(bytes, at)]));
  assert.deepEqual(found, expected);
}

test('lines between bytes of records are found, and nothing else is', () => {
  const ms = Date.parse(TIME);
  const first = lineOf(TIME, 0, 0, new Chance(1));
  const last = lineOf(TIME, 499, 99_999_999, new Chance(2));
  check(Buffer.from(first + last), [
    [0, 0, ms],
    [499, 99_999_999, ms],
  ]);
  check(Buffer.concat([Buffer.from([0x92, 0x23, 0x23]), Buffer.from(first.trimEnd()), Buffer.from([0x23])]), [
    [0, 0, ms],
  ]);
  check(Buffer.from('# #1234 #12x4:00000001 #1234:0000000x #1234:000000011'), []);
  check(Buffer.alloc(0), []);
});

test('the same seed gives the same lines, of about 250 bytes', () => {
  const [one, other] = [7, 7].map((seed) => lineOf(TIME, 12, 34, new Chance(seed)));
  assert.equal(one, other);
  assert.ok(one !== undefined && one.length > 220 && one.length < 270, String(one?.length));
});
