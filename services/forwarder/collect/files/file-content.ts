// Reads all of a file that rotation has left, unpacked, to learn which generation it is a copy of: by CRC-32 of all
// bytes up to where that one is read, and, of gzip, by the CRC-32 at its end without reading the rest.

import type { ReadStream } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { crc32, createGunzip, createZstdDecompress } from 'node:zlib';
import type { Compression } from '../../decode/files/source-path.ts';
import type { Generation } from '../checkpoints/generations.ts';
import { identityOf, isFileError, isOtherFile, type OpenOptions, openRegular, otherFile } from './file-identity.ts';
import { SLOT_BYTES } from '../turns/reading-turns.ts';

/** Read at a time; small, for many may be read at once. */
const PIECE_BYTES = 64 * 1024;
const GZIP_TRAILER_BYTES = 8;

export interface FileContent {
  /** Unpacked; up to the damage where there is some. */
  readonly size: number;
  readonly crc32: number;
  readonly isWhole: boolean;
  /** Its first bytes: as many as a first run can have. */
  readonly head: Uint8Array;
  /** Generations that it begins with, as far as they are read. */
  readonly beginsWith: readonly Generation[];
}

export interface UnpackOptions extends OpenOptions {
  /** The file that is meant: rejects where another one lies at the path by now. Absent: whichever lies there. */
  readonly identity?: string;
  readonly signal?: AbortSignal;
  /** Told of what reads the file as it lies there. */
  readonly opened?: (stream: { readonly bytesRead: number }) => void;
}

/** The bytes of the file, unpacked. Rejects where it cannot be read, or is damaged, after what is before the damage. */
export async function* unpackedBytes(
  path: string,
  compression: Compression | null,
  { identity, root = null, signal, opened }: UnpackOptions,
): AsyncGenerator<Buffer, void> {
  const options = { highWaterMark: PIECE_BYTES, ...(signal && { signal }) };
  const file = await streamOf(await openRegular(path, { root }), identity, options);
  opened?.(file);
  const stream = compression === null ? file : compression === 'gzip' ? createGunzip() : createZstdDecompress();
  if (stream !== file) {
    file.on('error', (error) => stream.destroy(error));
    file.pipe(stream as ReturnType<typeof createGunzip>);
  }
  try {
    for await (const piece of stream) yield piece as Buffer;
  } finally {
    file.destroy();
    stream.destroy();
  }
}

async function streamOf(
  handle: FileHandle,
  identity: string | undefined,
  options: { highWaterMark: number },
): Promise<ReadStream> {
  try {
    if (identity === undefined || (await identityOf(handle)) === identity) return handle.createReadStream(options);
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  throw otherFile();
}

export interface ContentOptions extends OpenOptions {
  /** The file that is meant: rejects as `unpackedBytes` does. Absent: whichever lies there. */
  readonly identity?: string;
  readonly compression: Compression | null;
  readonly generations: readonly Generation[];
  /** Where it is aborted, the content says nothing. */
  readonly signal: AbortSignal;
}

/** Of the generations, only those of which something is read can be found. */
export async function contentOf(
  path: string,
  { identity, root = null, compression, generations, signal }: ContentOptions,
): Promise<FileContent> {
  // Some of them are read on meanwhile.
  const wanted = generations
    .map((generation) => ({ generation, ...generation.place }))
    .filter(({ offset }) => offset > 0)
    .toSorted((a, b) => a.offset - b.offset);
  const beginsWith: Generation[] = [];
  let size = 0;
  let sum = 0;
  let next = 0;
  let isWhole = true;
  let head = Buffer.alloc(0);
  try {
    for await (const piece of unpackedBytes(path, compression, {
      ...(identity !== undefined && { identity }),
      root,
      signal,
    })) {
      if (head.length < SLOT_BYTES) head = Buffer.concat([head, piece.subarray(0, SLOT_BYTES - head.length)]);
      let at = 0;
      for (let one = wanted[next]; one !== undefined && one.offset <= size + piece.length; one = wanted[next]) {
        const to = one.offset - size;
        sum = crc32(piece.subarray(at, to), sum);
        at = to;
        if (sum === one.crc32) beginsWith.push(one.generation);
        next += 1;
      }
      sum = crc32(piece.subarray(at), sum);
      size += piece.length;
    }
  } catch (error) {
    if (isFileError(error) || isOtherFile(error)) throw error;
    isWhole = false;
  }
  return { size, crc32: sum, isWhole, head, beginsWith };
}

/** Whether the file, which is not compressed, begins with all of this content. */
export async function beginsWithContent(
  path: string,
  content: Pick<FileContent, 'size' | 'crc32'>,
  options: UnpackOptions,
): Promise<boolean> {
  let left = content.size;
  let sum = 0;
  for await (const piece of unpackedBytes(path, null, options)) {
    sum = crc32(piece.subarray(0, left), sum);
    left -= Math.min(left, piece.length);
    if (left === 0) return sum === content.crc32;
  }
  return false;
}

/** The generation that a gzip file holds, and no more, by its end alone; null where that does not say. */
export async function generationOfGzip(
  path: string,
  { identity, root = null, generations }: Pick<ContentOptions, 'generations' | 'identity' | 'root'>,
): Promise<Generation | null> {
  const file = await openRegular(path, { root });
  try {
    if (identity !== undefined && (await identityOf(file)) !== identity) throw otherFile();
    const trailer = await lastBytes(file, GZIP_TRAILER_BYTES);
    if (trailer === null) return null;
    const sum = trailer.readUInt32LE(0);
    const size = trailer.readUInt32LE(4);
    const holds = ({ place }: Generation): boolean =>
      place.crc32 === sum && place.offset % 2 ** 32 === size && size > 0;
    return generations.find(holds) ?? null;
  } finally {
    await file.close();
  }
}

async function lastBytes(file: FileHandle, length: number): Promise<Buffer | null> {
  const { size } = await file.stat();
  if (size < length) return null;
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await file.read(bytes, 0, length, size - length);
  return bytesRead === length ? bytes : null;
}
