// The patch of the codecs: zstd is known, and what unpacks to too much is refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import kafkajs from 'kafkajs';
import { dropUnpacked, keepUnpacked, patchCodecs } from '#shared/queue/kafka/kafkajs/patches/codec.ts';
import { INFLATED_BYTES_MAX } from '#shared/queue/kafka/wire/foreign-batches.ts';

const { GZIP, ZSTD } = kafkajs.CompressionTypes;

interface Codec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
  decompress(packed: Buffer): Promise<Buffer>;
}

const codecOf = (type: 1 | 4): Codec => kafkajs.CompressionCodecs[type]() as Codec;

test('zstd and gzip, with a limit', async () => {
  assert.throws(() => codecOf(ZSTD), { name: 'KafkaJSNotImplemented' });
  const large = Buffer.alloc(INFLATED_BYTES_MAX + 1);
  const bombs = [
    [GZIP, gzipSync(large, { level: 1 })],
    [ZSTD, zstdCompressSync(large)],
  ] as const;
  assert.equal((await codecOf(GZIP).decompress(bombs[0][1])).length, large.length, 'of itself kafkajs unpacks all');
  patchCodecs();
  for (const [type, bomb] of bombs) {
    const { compress, decompress } = codecOf(type);
    assert.equal((await decompress(await compress({ buffer: Buffer.from('value') }))).toString(), 'value');
    await assert.rejects(decompress(bomb), { message: 'Cannot unpack a message: it is too large' });
    await assert.rejects(decompress(Buffer.from('no such thing')));
  }
});

test('what was unpacked before is taken, until it is dropped', async () => {
  const answer = Buffer.from('....packed');
  const packed = answer.subarray(4);
  keepUnpacked(packed, Buffer.from('unpacked'));
  assert.equal((await codecOf(GZIP).decompress(packed)).toString(), 'unpacked');
  dropUnpacked(answer, [packed.byteOffset]);
  await assert.rejects(codecOf(GZIP).decompress(packed), 'it is no gzip');
});
