// Reads and writes of a file that go on until all bytes are through, and buffers that are let go at once.

import type { FileHandle } from 'node:fs/promises';

/**
 * Of smaller pieces somebody may still hold a part: an element of the frame that is looked at has a quarter of this at
 * most.
 */
const FREED_BYTES_MIN = 16 * 1024;

export async function writeFully(file: FileHandle, pieces: readonly Buffer[], position: number): Promise<void> {
  let at = position;
  for (let left = pieces; left.length > 0;) {
    const { bytesWritten } = await file.writev(left, at);
    at += bytesWritten;
    left = behind(left, bytesWritten);
  }
}

/** What the pieces have from so many bytes on. */
function behind(pieces: readonly Buffer[], bytes: number): readonly Buffer[] {
  let passed = 0;
  for (const [i, piece] of pieces.entries()) {
    if (passed + piece.length > bytes) return [piece.subarray(bytes - passed), ...pieces.slice(i + 1)];
    passed += piece.length;
  }
  return [];
}

/** What a socket has read. Left to the garbage collector, tens of megabytes of these would lie about. */
export function free({ buffer, length }: Buffer): void {
  const isAll = length === buffer.byteLength && length >= FREED_BYTES_MIN;
  if (isAll && buffer instanceof ArrayBuffer) buffer.transfer(0);
}

export async function readFully(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesRead } = await file.read(bytes, at, bytes.length - at, position + at);
    if (bytesRead === 0) throw new Error('the file of the frame has become shorter');
    at += bytesRead;
  }
}
