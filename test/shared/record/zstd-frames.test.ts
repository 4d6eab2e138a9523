import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { constants, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { zstdExtent, zstdStepsMax } from '#shared/record/zstd-frames.ts';

const checksummed = (bytes: Buffer) =>
  zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 1 }, pledgedSrcSize: bytes.length });
const skippable = Buffer.from('5f2a4d1803000000616263', 'hex');

describe('whole frames', () => {
  const check = (what: string, bytes: Buffer, contentBytes: number | null) =>
    test(what, () => assert.equal(zstdExtent(bytes)?.contentBytes, contentBytes));

  for (const size of [0, 1, 255, 256, 257, 65_791, 65_792, 300_000]) {
    check(`${size} zeros`, zstdCompressSync(Buffer.alloc(size), { pledgedSrcSize: size }), size);
    check(`${size} random bytes`, zstdCompressSync(randomBytes(size), { pledgedSrcSize: size }), size);
    check(`${size} bytes with a checksum`, checksummed(randomBytes(size)), size);
  }
  check('two', Buffer.concat([checksummed(Buffer.alloc(10)), checksummed(Buffer.alloc(20))]), 30);
  check('a skippable one first', Buffer.concat([skippable, checksummed(Buffer.alloc(10))]), 10);
  check('one that does not tell its size', Buffer.from('28b52ffd0048' + '190000' + '616263', 'hex'), null);
});

/** Of 'abc', without its size, as streaming encoders write it. */
const windowed = (log: number): Buffer =>
  Buffer.concat([Buffer.from('28b52ffd00', 'hex'), Buffer.of((log - 10) << 3), Buffer.from('190000616263', 'hex')]);

test('the largest window of its frames', () => {
  for (const log of [10, 23, 24, 27]) {
    assert.equal(zstdExtent(Buffer.concat([windowed(log), windowed(10)]))?.windowBytes, 2 ** log);
  }
  // A single segment: its content is its window. 0x4f: three quarters and a half of a quarter above 2^19.
  assert.equal(zstdExtent(checksummed(randomBytes(1000)))?.windowBytes, 1000);
  assert.equal(zstdExtent(Buffer.from('28b52ffd004f190000616263', 'hex'))?.windowBytes, 1.875 * 2 ** 19);
});

describe('no whole frames', () => {
  const frame = checksummed(randomBytes(1000));
  const check = (what: string, bytes: Buffer) => test(what, () => assert.equal(zstdExtent(bytes), null));

  check('nothing', Buffer.alloc(0));
  check('a text', Buffer.from('a line of a log'));
  check('a zero behind it', Buffer.concat([frame, Buffer.alloc(1)]));
  check('a magic number behind it', Buffer.concat([frame, frame.subarray(0, 4)]));
  check('a skippable frame that is cut', Buffer.concat([frame, skippable.subarray(0, -1)]));
  test('cut anywhere', () => {
    for (let cut = 0; cut < frame.length; cut += 1) assert.equal(zstdExtent(frame.subarray(0, cut)), null, `at ${cut}`);
  });
});

test('of blocks and frames that hold next to nothing there are only so many', () => {
  const LAST_BLOCK = Buffer.from('010000', 'hex');
  const HEAD = Buffer.from('28b52ffd0048', 'hex');
  // An empty block is three zeros.
  const ofBlocks = (count: number): Buffer => Buffer.concat([HEAD, Buffer.alloc(3 * (count - 1)), LAST_BLOCK]);
  const check = (bytes: Buffer, steps: number) => {
    assert.notEqual(zstdExtent(bytes, steps), null);
    assert.equal(zstdExtent(bytes, steps - 1), null);
    assert.notEqual(zstdExtent(bytes, Infinity), null);
  };
  check(ofBlocks(1), 2);
  check(ofBlocks(1000), 1001);
  check(Buffer.concat([ofBlocks(3), ofBlocks(4)]), 9);
  check(Buffer.alloc(8 * 1000, Buffer.from('502a4d1800000000', 'hex')), 1000);
  check(Buffer.alloc(9 * 1000, Buffer.concat([HEAD, LAST_BLOCK])), 2000);
  // By itself: so many whatever their size, then one for each 32 bytes.
  assert.notEqual(zstdExtent(ofBlocks(100_000)), null);
  assert.equal(zstdExtent(ofBlocks(120_000)), null);
  assert.equal(zstdExtent(Buffer.alloc(8 * 200_000, Buffer.from('502a4d1800000000', 'hex'))), null);
  assert.equal(zstdStepsMax(63 * 2 ** 20), 2_164_384);
});

test('never throws', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (tail) => {
      zstdExtent(Buffer.concat([Buffer.from('28b52ffd', 'hex'), tail]));
    }),
  );
});
