// What comes out of compressed bytes that are whole, torn at every byte, corrupt, or followed by something else.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync, gzipSync, inflateRawSync, constants, zstdCompressSync } from 'node:zlib';
import { sourceOf, type SliceSource, type Damage, UnpackPass } from '#shared/record/unpack-slices.ts';

const random = (bytes: number): string => crypto.getRandomValues(Buffer.alloc(bytes)).toString('hex');
const text = Buffer.from(Array.from({ length: 400 }, (_, i) => `line ${i} ${random(8)} lorem ipsum\n`).join(''));
const other = Buffer.from('the second one');
const pack = { gzip: gzipSync, zstd: zstdCompressSync } as const;

interface Unpacked {
  readonly bytes: Buffer;
  readonly damage: Damage | null;
}

/** As close to a damage as it comes, and once more in the same steps. */
async function unpack(source: SliceSource, encoding: 'gzip' | 'zstd' | 'identity', bytesMax = 1e9): Promise<Unpacked> {
  const one = async (finerFrom: readonly number[]) => {
    const pass = new UnpackPass(source, { encoding, bytesMax, finerFrom });
    const slices: Buffer[] = [];
    for await (const slice of pass.slices()) slices.push(Buffer.from(slice));
    return { bytes: Buffer.concat(slices), damage: pass.damage, finerFrom: pass.finerFrom };
  };
  let finerFrom: readonly number[] = [];
  for (;;) {
    const pass = await one(finerFrom);
    if (pass.finerFrom === null) {
      const again = await one(finerFrom);
      assert.deepEqual(again.bytes, pass.bytes);
      return pass;
    }
    finerFrom = pass.finerFrom;
  }
}

/** As a file gives it. */
const inPieces = (bytes: Buffer, size: number): SliceSource => ({
  size: bytes.length,
  async *slices() {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  },
});

for (const encoding of ['gzip', 'zstd'] as const) {
  const packed = pack[encoding](text);
  const two = Buffer.concat([packed, pack[encoding](other)]);

  test(`${encoding}: one, two, and in pieces of every size`, async () => {
    assert.deepEqual(await unpack(sourceOf(packed), encoding).then((all) => [all.bytes, all.damage]), [text, null]);
    for (const size of [1, 7, packed.length - 1, packed.length, packed.length + 1, 1e6]) {
      const { bytes, damage } = await unpack(inPieces(two, size), encoding);
      assert.equal(damage, null);
      assert.deepEqual(bytes, Buffer.concat([text, other]));
    }
  });

  test(`${encoding}: what is behind its end is told`, async () => {
    for (const behind of [Buffer.alloc(1), Buffer.alloc(50_000), Buffer.from('no such thing'), packed.subarray(0, 3)]) {
      for (const size of [packed.length, 1e6]) {
        const { bytes, damage } = await unpack(inPieces(Buffer.concat([packed, behind]), size), encoding);
        assert.deepEqual(bytes, text);
        assert.ok(damage);
        // zlib may have looked at the first two of them.
        if (behind.length !== 3) assert.ok(damage.at >= packed.length && damage.at <= packed.length + 2);
      }
    }
  });

  test(`${encoding}: torn in the second`, async () => {
    for (let at = packed.length + 1; at < two.length; at += 1) {
      const { bytes, damage } = await unpack(sourceOf(two.subarray(0, at)), encoding);
      assert.deepEqual(bytes.subarray(0, text.length), text);
      assert.deepEqual(bytes, Buffer.concat([text, other]).subarray(0, bytes.length));
      assert.ok(damage, `cut at ${at}`);
    }
  });

  test(`${encoding}: more than it may hold`, async () => {
    const { bytes, damage } = await unpack(sourceOf(pack[encoding](Buffer.alloc(5_000_000))), encoding, 1_000_000);
    assert.ok(bytes.length <= 1_000_000);
    assert.match(damage?.why ?? '', /more than 1000000 bytes/);
  });

  test(`${encoding}: nothing, and garbage`, async () => {
    for (const bytes of [Buffer.alloc(0), Buffer.from('x'), Buffer.alloc(300, 0xab)]) {
      const all = await unpack(sourceOf(bytes), encoding);
      assert.equal(all.bytes.length, 0);
      assert.ok(all.damage);
    }
  });
}

test('gzip torn at every byte gives what zlib makes of it', async () => {
  const packed = gzipSync(text.subarray(0, 2000));
  for (let at = 0; at < packed.length; at += 1) {
    const { bytes, damage } = await unpack(sourceOf(packed.subarray(0, at)), 'gzip');
    assert.ok(damage);
    const expected =
      at <= 10
        ? Buffer.alloc(0)
        : inflateRawSync(packed.subarray(10, Math.min(at, packed.length - 8)), { finishFlush: constants.Z_SYNC_FLUSH });
    assert.deepEqual(bytes, expected, `cut at ${at}`);
  }
});

test('gzip that is damaged in its midst gives what lies before, to the byte', async () => {
  const parts = [0, 1, 2].map((i) => gzipSync(text.subarray(i * 4000, i * 4000 + 4000)));
  const packed = Buffer.concat(parts);
  const at = (parts[0]?.length ?? 0) + 2000;
  // No block has this type, so that it is found where it lies.
  const [first = Buffer.alloc(0)] = parts;
  const bad = Buffer.concat([first, first.subarray(0, 10), Buffer.from([0xff, 0xff]), packed.subarray(at)]);
  const { bytes, damage } = await unpack(sourceOf(bad), 'gzip');
  assert.deepEqual(bytes, gunzipSync(first));
  assert.ok(damage && damage.at >= first.length);
});

test('gzip whose checksum is wrong gives all of it', async () => {
  const packed = gzipSync(text);
  packed[packed.length - 6] = 1 ^ (packed[packed.length - 6] ?? 0);
  const { bytes, damage } = await unpack(sourceOf(packed), 'gzip');
  assert.deepEqual(bytes, text);
  assert.match(damage?.why ?? '', /incorrect data check/);
});

test('what is not compressed passes', async () => {
  assert.deepEqual(await unpack(sourceOf(text), 'identity').then(({ bytes, damage }) => [bytes, damage]), [text, null]);
});

test('a source that cannot be read is no damage', async () => {
  const broken: SliceSource = {
    size: 100,
    async *slices() {
      yield gzipSync(text).subarray(0, 50);
      throw new Error('EIO');
    },
  };
  await assert.rejects(unpack(broken, 'gzip'), /EIO/);
  await assert.rejects(unpack(broken, 'identity'), /EIO/);
});

/** Of 'abc', without its size, as streaming encoders write it. */
const windowed = (log: number): Buffer =>
  Buffer.concat([Buffer.from('28b52ffd00', 'hex'), Buffer.of((log - 10) << 3), Buffer.from('190000616263', 'hex')]);

test('zstd: a window of more than 8 MiB is refused with a reason, behind what came before it', async () => {
  const taken = await unpack(sourceOf(windowed(23)), 'zstd');
  assert.deepEqual([taken.bytes.toString(), taken.damage], ['abc', null]);
  const refused = await unpack(sourceOf(Buffer.concat([windowed(23), windowed(24)])), 'zstd');
  assert.equal(refused.bytes.toString(), 'abc');
  assert.match(refused.damage?.why ?? '', /window of more than 8 MiB/);
});
