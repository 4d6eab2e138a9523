// Bytes of a file at a place, and whether they are those that were there before.

import { hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { Generation } from '../checkpoints/generations.ts';
import { openRegular } from './file-identity.ts';

/** So many bytes before the place tell whether the file is still the same. */
export const CHECK_BYTES = 256;

/** Whether somebody wrote to the file since it was looked at, and it has the same size. */
export function isWrittenSince(
  looked: { readonly size: number; readonly writtenMs: number },
  { size, mtimeMs }: { readonly size: number; readonly mtimeMs: number },
): boolean {
  return size > 0 && size === looked.size && mtimeMs !== looked.writtenMs;
}

/** The bytes before the generation's place; null where they, or the first of the file, are others. */
export async function checkOf(handle: FileHandle, generation: Generation): Promise<Buffer | null> {
  const { place, tail, size } = generation;
  const stat = await handle.stat();
  if (stat.size < Math.max(place.offset, size)) return null;
  const head = Buffer.alloc(headBytesOf(generation));
  if ((await readAt(handle, head, 0, head.length)) < head.length || !hasHead(generation, head)) return null;
  const length = Math.min(CHECK_BYTES, place.offset);
  const check = Buffer.alloc(length);
  const read = await readAt(handle, check, place.offset - length, length);
  return read === length && (length === 0 || tailOf(check) === tail) ? check : null;
}

/** `length:hash` of a file's first bytes. */
export function headOf(head: Uint8Array): string {
  return `${head.length}:${tailOf(head)}`;
}

function headBytesOf({ head }: Pick<Generation, 'head'>): number {
  return head === '' ? 0 : Number.parseInt(head, 10);
}

/** Whether content that begins with the bytes may be the generation's, as far as anything of that is known. */
function hasHead(generation: Pick<Generation, 'head'>, bytes: Uint8Array): boolean {
  const { head } = generation;
  return head === '' || headOf(bytes.subarray(0, headBytesOf(generation))) === head;
}

export function tailOf(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex').slice(0, 32);
}

/** What a generation has when the queue holds what is before `place`. `bytes`: of the file, from `start` on. */
export function placeHeld(
  place: Generation['place'],
  bytes: Buffer,
  start: number,
): Pick<Generation, 'place' | 'tail'> & Partial<Pick<Generation, 'head'>> {
  const end = place.offset - start;
  const tail = tailOf(bytes.subarray(Math.max(0, end - CHECK_BYTES), end));
  return start > 0 ? { place, tail } : { place, tail, head: headOf(bytes.subarray(0, Math.min(CHECK_BYTES, end))) };
}

/** A copy of those before `end` that are compared with what is there; in the buffer of the one before, if it fits. */
export function lastOf(bytes: Buffer, end: number, before: Buffer | null = null): Buffer {
  const start = Math.max(0, end - CHECK_BYTES);
  // Not in Node's pool, whose buffers keep each other.
  const copy = before?.length === end - start ? before : Buffer.allocUnsafeSlow(end - start);
  bytes.copy(copy, 0, start, end);
  return copy;
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

/** A byte order mark is told by so many. */
const MARK_BYTES = 4;

/** The first bytes; null as long as nobody can say whether they are a byte order mark. */
export async function markOf(handle: FileHandle): Promise<Buffer | null> {
  const head = Buffer.alloc(MARK_BYTES);
  const bytes = await readAt(handle, head, 0, MARK_BYTES);
  const mayBeMark = bytes < 3 && [0xef, 0xfe, 0xff].includes(head[0] ?? 0);
  return bytes === 0 || mayBeMark ? null : head;
}

const PIECE_BYTES = 64 * 1024;

/** So many NULs. */
export const NULS = Buffer.alloc(PIECE_BYTES);

/** With how many NULs the bytes begin. */
export function nulsIn(bytes: Buffer): number {
  let at = 0;
  for (; at < bytes.length; at += NULS.length) {
    const piece = bytes.subarray(at, at + NULS.length);
    if (!piece.equals(NULS.subarray(0, piece.length))) return at + piece.findIndex((byte) => byte !== 0);
  }
  return bytes.length;
}

/** Whether the file has nothing but NULs from `start` to `end`: one that was made longer before it is written. */
export async function areNuls(path: string, start: number, end: number): Promise<boolean> {
  await using handle = await openRegular(path);
  const buffer = Buffer.alloc(PIECE_BYTES);
  for (let at = start; at < end;) {
    const read = await readAt(handle, buffer, at, end - at);
    if (read === 0 || nulsIn(buffer.subarray(0, read)) < read) return false;
    at += read;
  }
  return true;
}

/**
 * Of generations of which nothing is known to be read, the one that the content is likeliest to be of. One whose
 * beginning is known goes before one that was empty when it was last seen: that may become anything.
 */
export function likeliestUnread<G extends Pick<Generation, 'head' | 'size'>>(
  generations: readonly G[],
  content: { readonly size: number; readonly head: Uint8Array },
): G | null {
  const like = generations.filter((one) => one.size <= content.size && hasHead(one, content.head));
  const known = like.filter(({ head }) => head !== '').toSorted((a, b) => b.size - a.size);
  return known[0] ?? like[0] ?? null;
}
