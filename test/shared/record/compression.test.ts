import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type TestContext, describe, test } from 'node:test';
import { createGunzip, createZstdDecompress, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { SluiceError } from '#shared/errors.ts';
import { ANY_WINDOW, compress, type Compression, decompress } from '#shared/record/compression.ts';

const MIB = 1024 * 1024;
const small = Buffer.from('a line of a log\n'.repeat(40));
const large = Buffer.from('another line of a log, a little longer\n'.repeat(40_000));
const noise = randomBytes(300_000);

/** A frame that does not tell its content's size, as streaming encoders write it. */
const zstdStreamed = Buffer.from('28b52ffd0048' + '190000' + '616263', 'hex');

describe('decompress gives back', () => {
  const check = (what: string, encoding: Compression | 'identity', packed: Buffer, expected: Buffer) =>
    test(`${encoding}: ${what}`, async () => {
      const unpacked = await decompress(packed, encoding, 4 * MIB);
      assert.ok(unpacked.equals(expected));
    });

  check('as it is', 'identity', small, small);
  for (const [size, text] of [['small', small] as const, ['large', large] as const, ['noise', noise] as const]) {
    const twice = Buffer.concat([text, text]);
    check(size, 'gzip', gzipSync(text), text);
    check(`${size}, two members`, 'gzip', Buffer.concat([gzipSync(text), gzipSync(text)]), twice);
    check(`${size}, a large member and an empty one`, 'gzip', Buffer.concat([gzipSync(text), gzipSync('')]), text);
    check(size, 'zstd', zstdCompressSync(text), text);
    check(`${size}, two frames`, 'zstd', Buffer.concat([zstdCompressSync(text), zstdCompressSync(text)]), twice);
    check(size, 'deflate', deflateSync(text), text);
    check(`${size}, bare`, 'deflate', deflateRawSync(text), text);
  }
  check('nothing', 'gzip', gzipSync(''), Buffer.alloc(0));
  check('nothing', 'zstd', zstdCompressSync(''), Buffer.alloc(0));
  check('a frame that does not tell its size', 'zstd', zstdStreamed, Buffer.from('abc'));
  const skippable = Buffer.from('502a4d1803000000616263', 'hex');
  check('a skippable frame before', 'zstd', Buffer.concat([skippable, zstdCompressSync(small)]), small);
});

describe('decompress refuses', () => {
  const check = (what: string, encoding: Compression, packed: Buffer, bytesMax = 4 * MIB) =>
    test(`${encoding}: ${what}`, async () => {
      const code = what.startsWith('too large') ? 'decompressed_too_large' : 'body_malformed';
      await assert.rejects(
        decompress(packed, encoding, bytesMax),
        (error) => error instanceof SluiceError && error.code === code,
      );
    });

  for (const [size, text] of [['small', small] as const, ['large', large] as const]) {
    const packed = { gzip: gzipSync(text), zstd: zstdCompressSync(text), deflate: deflateSync(text) };
    for (const encoding of ['gzip', 'zstd', 'deflate'] as const) {
      const whole = packed[encoding];
      check(`too large, ${size}`, encoding, whole, text.length - 1);
      check(`cut, ${size}`, encoding, whole.subarray(0, -1));
      check(`begun only, ${size}`, encoding, whole.subarray(0, 3));
      check(`garbage after it, ${size}`, encoding, Buffer.concat([whole, Buffer.from('garbage')]));
      check(`a zero after it, ${size}`, encoding, Buffer.concat([whole, Buffer.alloc(1)]));
      if (encoding === 'deflate') continue;
      check(`a zero and more after it, ${size}`, encoding, Buffer.concat([whole, Buffer.alloc(1), whole]));
      check(`a second that is cut, ${size}`, encoding, Buffer.concat([whole, whole.subarray(0, -5)]));
      check(`the beginning of a second, ${size}`, encoding, Buffer.concat([whole, whole.subarray(0, 3)]));
    }
  }
  for (const encoding of ['gzip', 'zstd'] as const) {
    check('nothing at all', encoding, Buffer.alloc(0));
    check('plain text', encoding, small);
  }
  check(
    'a length of 16 MiB that is not there',
    'gzip',
    Buffer.concat([gzipSync(small).subarray(0, -4), Buffer.from('00000001', 'hex')]),
  );
  check('too large: a bomb of 1 GiB', 'zstd', bomb('zstd'));
  check('too large: a bomb of 64 MiB', 'gzip', bomb('gzip'));
});

test('a flipped bit of gzip never gives another text', async () => {
  const packed = gzipSync(small);
  // From behind the header on, whose time and system mean nothing to us.
  for (let at = 10; at < packed.length; at += 1) {
    const damaged = Buffer.from(packed);
    damaged[at] = (damaged[at] ?? 0) ^ 0x40;
    const unpacked = await decompress(damaged, 'gzip', MIB).catch((error: unknown) => error);
    const isSame = Buffer.isBuffer(unpacked) && unpacked.equals(small); // Bits that only fill the last byte.
    assert.ok(isSame || unpacked instanceof SluiceError, `byte ${at}`);
  }
});

describe('compress', () => {
  for (const [size, text] of [['small', small] as const, ['large', large] as const, ['noise', noise] as const]) {
    test(`${size}: comes back`, async () => {
      const packed = await compress(text);
      assert.ok((await decompress(packed, 'zstd', text.length)).equals(text));
    });
  }
});

function bomb(encoding: 'gzip' | 'zstd'): Buffer {
  if (encoding === 'gzip') return gzipSync(Buffer.alloc(64 * MIB));
  const frame = zstdCompressSync(Buffer.alloc(16 * MIB));
  return Buffer.concat(Array.from({ length: 64 }, () => frame));
}

/** Of 'abc', without its size, as streaming encoders write it. */
const windowed = (log: number): Buffer =>
  Buffer.concat([Buffer.from('28b52ffd00', 'hex'), Buffer.of((log - 10) << 3), Buffer.from('190000616263', 'hex')]);

test('zstd that needs a window of more than 8 MiB is refused, but not where it was let in before', async () => {
  assert.ok((await decompress(windowed(23), 'zstd', MIB)).equals(Buffer.from('abc')));
  await assert.rejects(decompress(windowed(24), 'zstd', MIB), /window of more than 8 MiB/);
  assert.ok((await decompress(windowed(27), 'zstd', MIB, ANY_WINDOW)).equals(Buffer.from('abc')));
});

/** Counts the trips to the pool and back, each of which is a step of zlib's output chunk. */
function countTrips(t: TestContext): { count: number } {
  const trips = { count: 0 };
  for (const engine of [createGunzip(), createZstdDecompress()]) {
    const handle: unknown = Reflect.get(engine, '_handle');
    assert(typeof handle === 'object' && handle !== null);
    const native = Object.getPrototypeOf(handle) as { write: (...args: unknown[]) => unknown };
    const { write } = native;
    t.mock.method(native, 'write', function count(this: unknown, ...args: unknown[]): unknown {
      trips.count += 1;
      return Reflect.apply(write, this, args);
    });
    engine.destroy();
  }
  return trips;
}

test('a bomb whose last member says that it holds nothing, or little, takes few steps', async (t) => {
  const trips = countTrips(t);
  const bombed = Buffer.alloc(8 * MIB);
  const check = async (packed: Buffer, stepsMax: number): Promise<void> => {
    trips.count = 0;
    const unpacked = await decompress(packed, 'gzip', 16 * MIB);
    assert.equal(unpacked.length, 8 * MIB + (packed.readUInt32LE(packed.length - 4) || 0));
    assert(trips.count > 0 && trips.count <= stepsMax, `${trips.count} steps`);
  };
  // Some 8 KiB each.
  await check(Buffer.concat([gzipSync(bombed), gzipSync('')]), 140);
  await check(Buffer.concat([gzipSync(bombed), gzipSync('ab')]), 140);
  // Beyond what is opened in place.
  const noisy = Buffer.concat([gzipSync(bombed), gzipSync(randomBytes(16_000))]);
  await check(noisy, 140);
  await assert.rejects(decompress(noisy, 'gzip', 1000), { code: 'decompressed_too_large' });
});

test('what holds little keeps little, whatever zlib had ready for it', async () => {
  const check = async (packed: Buffer, encoding: Compression, expected: Buffer): Promise<void> => {
    const unpacked = await decompress(packed, encoding, 4 * MIB);
    assert.ok(unpacked.equals(expected));
    assert(unpacked.buffer.byteLength <= 2 * expected.length, `${unpacked.buffer.byteLength}`);
  };
  const bytes = randomBytes(17_000);
  await check(gzipSync(bytes), 'gzip', bytes);
  // It says nothing of its size, so zlib has eight times as much ready.
  await check(deflateSync(noise), 'deflate', noise);
});

test('zstd with a block for every few bytes is refused, but not where it was let in before', async () => {
  const ofBlocks = (count: number): Buffer =>
    Buffer.concat([Buffer.from('28b52ffd0048', 'hex'), Buffer.alloc(3 * (count - 1)), Buffer.from('010000', 'hex')]);
  assert.equal((await decompress(ofBlocks(100_000), 'zstd', MIB)).length, 0);
  const refusal = { code: 'body_malformed', message: /a block for every few bytes/ };
  await assert.rejects(decompress(ofBlocks(120_000), 'zstd', MIB), refusal);
  assert.equal((await decompress(ofBlocks(120_000), 'zstd', MIB, ANY_WINDOW)).length, 0);
});

test('what zlib wrote to is freed, and not left to the garbage collector', async (t) => {
  const bytes = 32 * 1024 * 1024;
  const packed = gzipSync(Buffer.alloc(bytes, 7));
  let freed = 0;
  const transfer = ArrayBuffer.prototype.transfer;
  t.mock.method(ArrayBuffer.prototype, 'transfer', function (this: ArrayBuffer, size?: number) {
    if (size === 0) freed += this.byteLength;
    return transfer.call(this, size);
  });
  const unpacked = await decompress(packed, 'gzip', bytes);
  assert.equal(unpacked.length, bytes);
  assert(unpacked.every((byte) => byte === 7));
  assert(freed >= bytes, `${freed} bytes were freed`);
  freed = 0;
  await assert.rejects(decompress(packed, 'gzip', bytes - 1), { code: 'decompressed_too_large' });
  assert(freed >= bytes / 2, `${freed} bytes of a body that is too large were freed`);
});
