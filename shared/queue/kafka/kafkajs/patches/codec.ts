// Symptom: a topic with `compression.type=zstd`, `lz4` or `snappy` stops every consumer (KafkaJSNotImplemented), and a
// small gzip batch unpacks to any size. All codecs are ours, with a limit. What was looked at before it is decoded
// (fetch.ts) is unpacked once: `keepUnpacked` hands it over. Others write lz4 and snappy; nobody here does.
// Upstream: https://github.com/tulios/kafkajs/issues/910 (zstd is left to plugins, closed) and
// https://github.com/tulios/kafkajs/issues/1795 (no limit, open).

import { setImmediate as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzip, unzip, zstdCompress, zstdDecompress } from 'node:zlib';
import kafkajs from 'kafkajs';
import { type Inflate, INFLATED_BYTES_MAX } from '../../wire/foreign-batches.ts';
import { unpackLz4 } from '../../wire/lz4.ts';
import { unpackSnappyBlocks } from '../../wire/snappy-blocks.ts';
import { checkFunction, patch } from './patch.ts';

const AT = 'index.js: CompressionCodecs';
const { GZIP, LZ4, Snappy, ZSTD } = kafkajs.CompressionTypes;

export const inflates = new Map<number, Inflate>([
  [GZIP, inflateWith(promisify(unzip))],
  [ZSTD, inflateWith(promisify(zstdDecompress))],
  [LZ4, inflateLz4],
  [Snappy, inflateSnappy],
]);
const deflateGzip = promisify(gzip);
const deflateZstd = promisify(zstdCompress);
const deflates = new Map<1 | 2 | 3 | 4, (bytes: Buffer) => Promise<Buffer>>([
  [GZIP, (bytes: Buffer) => deflateGzip(bytes)],
  [ZSTD, (bytes: Buffer) => deflateZstd(bytes)],
  [LZ4, neverWritten],
  [Snappy, neverWritten],
]);
/** What was unpacked to be looked at: by the memory of the answer, which small ones share, then by the place in it. */
const unpackedIn = new WeakMap<ArrayBufferLike, Map<number, Buffer>>();

export function patchCodecs(): void {
  const owner: Record<'1' | '2' | '3' | '4', () => unknown> = kafkajs.CompressionCodecs;
  for (const codec of deflates.keys()) checkFunction(AT, owner, `${codec}`, 0);
  for (const [codec, deflate] of deflates) {
    patch({ at: AT, owner, name: `${codec}`, parameters: 0 }, () => () => ({
      compress: ({ buffer }: { buffer: Buffer }) => deflate(buffer),
      decompress: async (packed: Buffer) => {
        const bytes = unpackedIn.get(packed.buffer)?.get(packed.byteOffset);
        // Each batch has a turn of its own to be decoded.
        if (bytes !== undefined) return nextTurn(bytes);
        // Of a time before record batches: nobody has looked at it.
        const unpacked = await inflates.get(codec)?.(packed, INFLATED_BYTES_MAX);
        if (!unpacked) throw new kafkajs.KafkaJSNonRetriableError('Cannot unpack a message: it is too large');
        return unpacked;
      },
    }));
  }
}

/** Keeps `bytes` for whoever unpacks `packed`, until they are dropped. */
export function keepUnpacked(packed: Buffer, bytes: Buffer): void {
  unpackedIn.getOrInsertComputed(packed.buffer, () => new Map<number, Buffer>()).set(packed.byteOffset, bytes);
}

/** `places`: offsets in the memory of `answer`. */
export function dropUnpacked(answer: Buffer, places: readonly number[]): void {
  const found = unpackedIn.get(answer.buffer);
  for (const place of places) found?.delete(place);
}

async function inflateLz4(packed: Buffer, bytesMax: number): Promise<Buffer | null> {
  const unpacked = unpackLz4(packed, bytesMax);
  if (unpacked.kind === 'malformed') throw new Error('Cannot unpack a batch: it is no LZ4');
  return unpacked.kind === 'bytes' ? unpacked.bytes : null;
}

async function inflateSnappy(packed: Buffer, bytesMax: number): Promise<Buffer | null> {
  const unpacked = unpackSnappyBlocks(packed, bytesMax);
  if (unpacked === undefined) throw new Error('Cannot unpack a batch: it is no Snappy');
  return unpacked;
}

async function neverWritten(): Promise<Buffer> {
  throw new kafkajs.KafkaJSNonRetriableError('Cannot pack a batch: Sluice writes neither LZ4 nor Snappy');
}

function inflateWith(inflate: (packed: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>): Inflate {
  return async (packed, maxOutputLength) => {
    try {
      return await inflate(packed, { maxOutputLength });
    } catch (error) {
      if (error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') return null;
      throw error;
    }
  };
}
