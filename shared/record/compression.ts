// Compression of entry runs: what senders compressed is opened once, bounded; what goes to the queue is pressed by
// zstd, level 1, which shrinks log records 6 to 8 times at a third of a gigabyte per second.
//
// Guarantees: output is bounded before it is made; concatenated gzip members and zstd frames come out whole; input that
// is cut, damaged, or has bytes left over is refused, never taken in part.

import {
  constants,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdCompress,
  createZstdDecompress,
  gunzipSync,
  inflateRawSync,
  inflateSync,
  type ZlibOptions,
  zstdCompressSync,
} from 'node:zlib';
import { zstdDecompressSync, type ZstdOptions } from 'node:zlib';
import { freeBuffer } from '#shared/memory/free-buffer.ts';
import { SluiceError } from '#shared/errors.ts';
import type { Encoding } from './record.ts';
import { ZSTD_WINDOW_LOG_MAX, ZSTD_WINDOW_TOO_LARGE, zstdExtent, zstdStepsMax } from './zstd-frames.ts';

/** What HTTP calls `deflate` too; no encoding of queue records. */
export type Compression = Exclude<Encoding, 'identity'> | 'deflate';

// A trip to the pool and back costs some 100 µs of processor time, more than the whole work on a small input (measured
// on Node 26: gunzip of 7 KB uncompressed 20 µs here, 110 µs there; of 70 KB 70 µs and 160 µs). So small things are
// done in place, bounded by what they give as well, lest a small bomb hold up the event loop.
const INLINE_PACKED_MAX = 16 * 1024;
const INLINE_UNPACKED_MAX = 128 * 1024;
const INLINE_PRESS_MAX = 32 * 1024;

/**
 * zlib works in steps of its output chunk, a trip each: as much as the input seems to give, but not on its word alone.
 */
const CHUNK_BYTES_MIN = 1024;
const RATIO_BELIEVED = 64;
const TRAILING_BYTES = 'there are bytes after its end';
/** In the pool: gzip says what its last member gives, which may be nothing, behind one that gives 64 MiB. */
const POOL_CHUNK_BYTES_MIN = 64 * 1024;

/** For what was let in before: an older forwarder let any window pass, and any number of blocks. */
export const ANY_WINDOW = Infinity;
const WINDOW_BYTES_MAX = 2 ** ZSTD_WINDOW_LOG_MAX;

/**
 * What `bytes` hold, at most `bytesMax`. Rejects with decompressed_too_large where it is more, body_malformed where the
 * bytes are not what `encoding` says from the first to the last, or zstd needs a larger window, or has far too many
 * blocks.
 */
export async function decompress(
  bytes: Uint8Array,
  encoding: Encoding | Compression,
  bytesMax: number,
  windowBytesMax: number = WINDOW_BYTES_MAX,
): Promise<Buffer> {
  const packed = asBuffer(bytes);
  if (encoding === 'identity') {
    if (packed.length > bytesMax) throw tooLarge(bytesMax);
    return packed;
  }
  const hint = unpackedHint(packed, encoding, windowBytesMax);
  if (packed.length <= INLINE_PACKED_MAX && hint <= INLINE_UNPACKED_MAX) {
    const unpacked = unpackInline(packed, encoding, hint, bytesMax);
    if (unpacked !== null) return unpacked;
  }
  return unpackInPool(packed, encoding, hint, bytesMax);
}

/** zstd, level 1, one frame that tells its content's size. */
export async function compress(bytes: Uint8Array): Promise<Buffer> {
  const options: ZstdOptions & Sized = {
    params: { [constants.ZSTD_c_compressionLevel]: 1 },
    pledgedSrcSize: bytes.length,
    // Logs shrink to less than a quarter. What does not takes another step.
    chunkSize: Math.max(CHUNK_BYTES_MIN, bytes.length >>> 2),
  };
  if (bytes.length <= INLINE_PRESS_MAX) return zstdCompressSync(bytes, options);
  return pressInPool(bytes, options);
}

/**
 * As `zstdCompress`, but what zlib wrote to is freed: left to the garbage collector, tens of megabytes of it would lie
 * about.
 */
function pressInPool(bytes: Uint8Array, options: ZstdOptions & Sized): Promise<Buffer> {
  const { chunkSize } = options;
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const engine = createZstdCompress(options);
  const pieces: Buffer[] = [];
  engine.on('data', (piece: Buffer) => pieces.push(piece));
  engine.once('error', reject);
  engine.once('end', () => {
    const packed = Buffer.concat(pieces);
    resolve(packed);
    for (const piece of pieces) freeChunk(piece, chunkSize);
  });
  engine.end(bytes);
  return promise;
}

/** Null where it turns out to be too much for the event loop. */
function unpackInline(packed: Buffer, encoding: Compression, hint: number, bytesMax: number): Buffer | null {
  const inlineMax = Math.min(bytesMax, INLINE_UNPACKED_MAX);
  const options = unpackOptions(packed, hint, { bytesMax: inlineMax, chunkBytesMin: CHUNK_BYTES_MIN });
  try {
    return wholeOutput(unpackSync(packed, encoding, options), packed);
  } catch (error) {
    if (isTooLarge(error) && inlineMax < bytesMax) return null;
    throw coded(error, encoding, bytesMax);
  }
}

function unpackSync(packed: Buffer, encoding: Compression, options: ZlibOptions & ZstdOptions): Buffer {
  if (encoding === 'gzip') return gunzipSync(packed, options);
  if (encoding === 'zstd') return zstdDecompressSync(packed, options);
  return isZlib(packed) ? inflateSync(packed, options) : inflateRawSync(packed, options);
}

/**
 * As `gunzip` and its like, but what zlib wrote to is freed: left to the garbage collector, as much as a body grows to
 * would lie about in a process that has nothing else to do.
 */
function unpackInPool(packed: Buffer, encoding: Compression, hint: number, bytesMax: number): Promise<Buffer> {
  // A byte more, so that the end is seen in the same step.
  const chunkBytesMin = Math.min(POOL_CHUNK_BYTES_MIN, bytesMax + 1);
  const options = unpackOptions(packed, hint, { bytesMax, chunkBytesMin });
  const { chunkSize } = options;
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const engine = unpackerOf(packed, encoding, options);
  const pieces: Buffer[] = [];
  let bytes = 0;
  const fail = (error: SluiceError): void => {
    engine.destroy();
    // zlib may be writing to the last one in this moment.
    for (const piece of pieces) if (piece.buffer !== pieces.at(-1)?.buffer) freeChunk(piece, chunkSize);
    pieces.length = 0;
    reject(error);
  };
  engine.on('data', (piece: Buffer) => {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > bytesMax) fail(tooLarge(bytesMax));
  });
  engine.once('error', (cause) => fail(coded(cause, encoding, bytesMax)));
  engine.once('end', () => {
    if (engine.bytesWritten === packed.length) resolve(joined(pieces, bytes, chunkSize));
    else fail(malformed(encoding, TRAILING_BYTES));
  });
  engine.end(packed);
  return promise;
}

function unpackerOf(packed: Buffer, encoding: Compression, options: ZlibOptions & ZstdOptions) {
  if (encoding === 'gzip') return createGunzip(options);
  if (encoding === 'zstd') return createZstdDecompress(options);
  return isZlib(packed) ? createInflate(options) : createInflateRaw(options);
}

/** Chunks are freed one by one as they are copied, so that hardly more than the whole is resident at any time. */
function joined(pieces: readonly Buffer[], bytes: number, chunkBytes: number): Buffer {
  const [only] = pieces;
  if (pieces.length === 1 && only) return fitted(only);
  // Not in Node's pool, whose buffers keep each other.
  const whole = Buffer.allocUnsafeSlow(bytes);
  let at = 0;
  for (const [i, piece] of pieces.entries()) {
    at += piece.copy(whole, at);
    // Several pieces may lie in one chunk.
    if (pieces[i + 1]?.buffer !== piece.buffer) freeChunk(piece, chunkBytes);
  }
  return whole;
}

/** Frees what zlib wrote `piece` to. */
function freeChunk({ buffer }: Buffer, chunkBytes: number): void {
  // A small chunk lies in Node's pool, with other buffers.
  const isOwn = buffer.byteLength === chunkBytes && chunkBytes > Buffer.poolSize;
  if (isOwn && buffer instanceof ArrayBuffer) buffer.transfer(0);
}

/** RFC 9110 means zlib's form by `deflate`; some clients send the bare one. */
function isZlib(packed: Buffer): boolean {
  return ((packed[0] ?? 0) & 0x0f) === 8;
}

/** Of the chunks that zlib writes to, in bytes. */
interface Sized {
  readonly chunkSize: number;
}

interface UnpackLimits {
  readonly bytesMax: number;
  readonly chunkBytesMin: number;
}

function unpackOptions(
  packed: Buffer,
  hint: number,
  { bytesMax, chunkBytesMin }: UnpackLimits,
): ZlibOptions & ZstdOptions & Sized {
  const believed = Math.min(hint, packed.length * RATIO_BELIEVED, bytesMax);
  // A byte more than it gives, so that the end is seen in the same step.
  return { maxOutputLength: bytesMax, chunkSize: Math.max(chunkBytesMin, believed + 1), info: true };
}

/** Whoever holds a little of what zlib wrote to holds all of it. */
function fitted(unpacked: Buffer): Buffer {
  if (unpacked.buffer.byteLength <= 2 * unpacked.length) return unpacked;
  // Not in Node's pool, whose buffers keep each other.
  const own = Buffer.allocUnsafeSlow(unpacked.length);
  unpacked.copy(own);
  freeBuffer(unpacked);
  return own;
}

/**
 * Bytes that the input says it holds: gzip at the end of its last member, zstd in the frame. A guess where it says
 * nothing.
 */
function unpackedHint(packed: Buffer, encoding: Compression, windowBytesMax: number): number {
  const guess = packed.length * 8;
  if (encoding === 'gzip') return packed.length < 18 ? guess : packed.readUInt32LE(packed.length - 4);
  if (encoding === 'deflate') return guess;
  const stepsMax = windowBytesMax === ANY_WINDOW ? Infinity : zstdStepsMax(packed.length);
  const extent = zstdExtent(packed, stepsMax);
  if (extent === null) throw malformed('zstd', 'it is not a row of whole frames, or has a block for every few bytes');
  if (extent.windowBytes > windowBytesMax) throw malformed('zstd', ZSTD_WINDOW_TOO_LARGE);
  return extent.contentBytes ?? guess;
}

/** With `info`, Node tells how much of the input its engine took: what it left over, it left without a word. */
function wholeOutput(result: unknown, packed: Buffer): Buffer {
  if (!isUnpacked(result)) throw new TypeError('zlib gave no info');
  if (result.engine.bytesWritten !== packed.length) throw new Error(TRAILING_BYTES);
  return result.buffer;
}

function isUnpacked(result: unknown): result is { buffer: Buffer; engine: { bytesWritten: number } } {
  return typeof result === 'object' && result !== null && 'buffer' in result && 'engine' in result;
}

function coded(error: unknown, encoding: Compression, bytesMax: number): SluiceError {
  if (isTooLarge(error)) return tooLarge(bytesMax);
  return malformed(encoding, error instanceof Error ? error.message : String(error));
}

function isTooLarge(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
}

function tooLarge(bytesMax: number): SluiceError {
  return new SluiceError('decompressed_too_large', `Cannot decompress: it holds more than ${bytesMax} bytes`);
}

function malformed(encoding: Compression, why: string): SluiceError {
  return new SluiceError('body_malformed', `Cannot decompress ${encoding}: ${why}`);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
