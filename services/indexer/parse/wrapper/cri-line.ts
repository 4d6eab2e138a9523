// A line of a file that containerd, CRI-O or Podman writes (CRI logging format):
//
//   2026-11-20T10:00:00.123456789Z stdout F text
//   2026-11-20T10:00:00.123456789+01:00 stderr P:more text     P: the line goes on; further tags after colons
//
// The text is all that follows, byte for byte, but for one line feed. Pure, and linear.

import { COLON, DASH, SPACE, find } from '../line/scan.ts';
import type { WrappedLine } from './wrapped-line.ts';

const TIME_BYTES_MAX = 40;
const STREAM_BYTES = 6;
const FULL = 0x46;
const PART = 0x50;
const LINE_FEED = 0x0a;
const LARGE_T = 0x54;

/** Whether bytes[start, end), which begins with a digit, is such a line. */
export function readCri(bytes: Uint8Array, start: number, end: number, line: WrappedLine): boolean {
  if (bytes[start + 4] !== DASH || bytes[start + 10] !== LARGE_T) return false;
  const timeEnd = find(bytes, start + 20, Math.min(end, start + TIME_BYTES_MAX), SPACE);
  const streamEnd = timeEnd + 1 + STREAM_BYTES;
  if (timeEnd < 0 || streamEnd + 2 > end || bytes[streamEnd] !== SPACE) return false;
  if (!line.readStream(bytes, timeEnd + 1, streamEnd)) return false;
  const last = bytes[end - 1] === LINE_FEED ? end - 1 : end;
  const tag = bytes[streamEnd + 1]!;
  const textAt = pastTags(bytes, streamEnd + 2, last);
  if ((tag !== FULL && tag !== PART) || textAt < 0 || !line.readTime(bytes, start, timeEnd)) return false;
  line.setText(bytes, textAt, last);
  line.goesOn = tag === PART;
  return true;
}

/** Where the text begins behind the first tag, others, and a space; -1 where that is not what follows. */
function pastTags(bytes: Uint8Array, at: number, end: number): number {
  // An empty text, whose space somebody took off.
  if (at >= end) return at === end ? at : -1;
  if (bytes[at] === SPACE) return at + 1;
  if (bytes[at] !== COLON) return -1;
  const space = find(bytes, at, end, SPACE);
  return space < 0 ? -1 : space + 1;
}
