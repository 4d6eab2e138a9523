import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { entryTimeMs, nameTimeMs } from '#shared/record/entry-time.ts';

describe('time of an entry', () => {
  const check = (what: string, time: string, expected: number) =>
    test(what, () => {
      for (const head of ['92', 'dc0002', 'dd00000002'])
        for (const [before, after] of [
          ['', ''],
          ['92', '80'],
          ['dc0002', '81a16101'],
        ] as const) {
          const bytes = Buffer.from(`c1${head}${before}${time}${after}80c1`, 'hex');
          assert.equal(entryTimeMs(bytes, 1, bytes.length - 1), expected, bytes.toString('hex'));
        }
    });

  check('nil', 'c0', 0);
  check('zero', '00', 0);
  check('fixint', '05', 5000);
  check('negative fixint', 'ff', 0);
  check('uint 8', 'cc80', 128_000);
  check('uint 16', 'cd0102', 258_000);
  check('uint 32', 'ce6553f100', 1_700_000_000_000);
  check('uint 32, the largest', 'ceffffffff', 4_294_967_295_000);
  check('uint 64', 'cf000000006553f100', 1_700_000_000_000);
  check('uint 64 out of range', 'cfffffffffffffffff', 0);
  check('uint 64, the last second', 'cf000000418937 4bc6'.replace(' ', ''), 281_474_976_710_000);
  check('uint 64, the second after it', 'cf000000418937 4bc7'.replace(' ', ''), 0);
  check('int 8', 'd07f', 127_000);
  check('int 8 below zero', 'd0ff', 0);
  check('int 16', 'd17fff', 32_767_000);
  check('int 32', 'd26553f100', 1_700_000_000_000);
  check('int 32 below zero', 'd2ffffffff', 0);
  check('int 64', 'd3000000006553f100', 1_700_000_000_000);
  check('int 64 below zero', 'd3ffffffffffffffff', 0);
  check('float 32', 'ca3fc00000', 1500);
  check('float 64', 'cb3ff8000000000000', 1500);
  check('float 64, less than a millisecond', 'cb3f00000000000000', 0);
  check('NaN', 'cb7ff8000000000000', 0);
  check('infinity', 'cb7ff0000000000000', 0);
  check('EventTime', 'd7006553f10007 5bcd15'.replaceAll(' ', ''), 1_700_000_000_123);
  check('EventTime as ext 8', 'c708006553f100075bcd15', 1_700_000_000_123);
  check('EventTime with more than a second of nanoseconds', 'd700000000013b9aca00', 2000);
  check('EventTime zero', 'd7000000000000000000', 0);
  check('another ext', 'd7016553f100075bcd15', 0);
  check('a text', 'a3616263', 0);
});

test('nothing there, or not all of it', () => {
  const whole = Buffer.from('92d7006553f100075bcd1580', 'hex');
  for (let cut = 0; cut < 11; cut += 1) assert.equal(entryTimeMs(whole.subarray(0, cut), 0, cut), 0);
  assert.equal(entryTimeMs(whole, 0, 5), 0, 'its end counts, not that of the buffer');
});

test('never throws, and is a time that a name can hold', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 24 }), (bytes) => {
      const ms = entryTimeMs(bytes, 0, bytes.length);
      assert.ok(Number.isSafeInteger(ms) && ms >= 0 && ms < 2 ** 48);
    }),
    { numRuns: 5000 },
  );
});

test('range of a name', () => {
  for (const ms of [-1, 0, 0.9, Number.NaN, Infinity, 2 ** 48]) assert.equal(nameTimeMs(ms), 0);
  for (const ms of [1, 2 ** 48 - 1]) assert.equal(nameTimeMs(ms), ms);
});
