// Bytes of a file at a place, and whether they are those that were there before.

import { hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { Generation } from '../checkpoints/generations.ts';

/** So many bytes before the place tell whether the file is still the same. */
export const CHECK_BYTES = 256;

/** The bytes before the generation's place; null where they, or the first of the file, are others. */
export async function checkOf(
  handle: FileHandle,
  generation: Generation,
  hasTrueTimes: boolean,
): Promise<Buffer | null> {
  const { place, tail, size, writtenMs } = generation;
  const stat = await handle.stat();
  if (stat.size < Math.max(place.offset, size)) return null;
  const isRewritten = hasTrueTimes && size > 0 && stat.size === size && writtenMs > 0 && stat.mtimeMs !== writtenMs;
  if (isRewritten) return null;
  const head = Buffer.alloc(CHECK_BYTES);
  const headBytes = await readAt(handle, head, 0, CHECK_BYTES);
  if (!hasHead(generation, head.subarray(0, headBytes))) return null;
  const length = Math.min(CHECK_BYTES, place.offset);
  const check = Buffer.alloc(length);
  const read = await readAt(handle, check, place.offset - length, length);
  return read === length && (length === 0 || tailOf(check) === tail) ? check : null;
}

/** `length:hash` of the first of the bytes, which are a file's from its beginning. */
export function headOf(bytes: Uint8Array): string {
  const head = bytes.subarray(0, CHECK_BYTES);
  return `${head.length}:${tailOf(head)}`;
}

/** Whether content that begins with the bytes may be the generation's, as far as anything of that is known. */
export function hasHead({ head }: Pick<Generation, 'head'>, bytes: Uint8Array): boolean {
  return head === '' || headOf(bytes.subarray(0, Number.parseInt(head, 10))) === head;
}

export function tailOf(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex').slice(0, 32);
}

/** Reads until the buffer is full, so many bytes are read, or the file ends. Returns how many. */
export async function readAt(handle: FileHandle, buffer: Buffer, position: number, bytesMax: number): Promise<number> {
  const wanted = Math.min(buffer.length, bytesMax);
  let at = 0;
  while (at < wanted) {
    const { bytesRead } = await handle.read(buffer, at, wanted - at, position + at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return at;
}
