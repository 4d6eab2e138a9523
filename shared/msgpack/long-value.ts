// Finds where a long msgpack value ends, in steps: one value of millions of others costs as much to pass over as all of
// them, and whoever has other work to do gives it its turn between steps. Short ones are passed over at once by
// extents.ts.
//
// Guarantees: never throws, holds nothing that grows with the value; a step reads WINDOW_BYTES.

import { INCOMPLETE, MALFORMED } from './extents.ts';
import { FRAME_PASSED, FrameScanner, NEED_MORE } from './frame-scanner.ts';

/** Of one-byte values some 2 ms. A value that does not end in so many bytes is a long one. */
export const WINDOW_BYTES = 512 * 1024;

interface LongValue {
  /** A negative number where it has none. */
  readonly end: number;
  /** Keys and values that it says it holds, at any depth. */
  readonly announced: number;
}

/** Where the value at `start` ends. Yields between steps. */
export function* longValueEnd(bytes: Uint8Array, start: number): Generator<null, LongValue, void> {
  const scanner = new FrameScanner({ frameBytesMax: Infinity, keepBytesMax: 0 });
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = start; at < all.length; at += WINDOW_BYTES) {
    const piece = all.subarray(at, at + WINDOW_BYTES);
    scanner.push(piece);
    const result = scanner.next();
    if (result === NEED_MORE) {
      yield null;
      continue;
    }
    // One that lies in a single piece is not let go.
    if (result !== FRAME_PASSED && !Buffer.isBuffer(result)) return { end: MALFORMED, announced: 0 };
    const unread = scanner.takeUnread().reduce((sum, { length }) => sum + length, 0);
    return { end: at + piece.length - unread, announced: scanner.announced };
  }
  return { end: INCOMPLETE, announced: 0 };
}
