// Lines of klog and glog (https://github.com/kubernetes/klog, https://github.com/google/glog#log-line-prefix):
//
//   E1121 10:00:00.123456       1 reflector.go:138] Failed to watch
//   level, month and day, time    thread, file and line
//
// The time has no year and no zone, so it is none.

import { levelOfWord } from './level-words.ts';
import { type Line, fieldNumber } from './line.ts';
import { CLOSING, COLON, SPACE, find, integerOf, pastBlanks, pastWord } from './scan.ts';

const HEAD_BYTES = 21;
const FILE_BYTES_MAX = 256;
const THREAD = fieldNumber('process.thread.id');
const FILE = fieldNumber('log.origin.file.name');
const FILE_LINE = fieldNumber('log.origin.file.line');
const LEVELS = 'IWEFD';

export function readKlog(bytes: Uint8Array, start: number, end: number, line: Line): boolean {
  if (end - start < HEAD_BYTES || !LEVELS.includes(String.fromCharCode(bytes[start]!))) return false;
  if (integerOf(bytes, start + 1, start + 5) < 0 || bytes[start + 5] !== SPACE) return false;
  if (bytes[start + 8] !== COLON || bytes[start + 11] !== COLON || bytes[start + 14] !== 0x2e) return false;
  const threadAt = pastBlanks(bytes, pastWord(bytes, start + 6, end), Math.min(end, start + HEAD_BYTES + 16));
  const threadEnd = pastWord(bytes, threadAt, Math.min(end, threadAt + 16));
  const thread = integerOf(bytes, threadAt, threadEnd);
  const close = find(bytes, threadEnd, Math.min(end, threadEnd + FILE_BYTES_MAX), CLOSING);
  if (thread < 0 || bytes[threadEnd] !== SPACE || close < 0) return false;
  const colon = find(bytes, threadEnd, close, COLON);
  const number = colon < 0 ? -1 : integerOf(bytes, colon + 1, close);
  if (number < 0) return false;
  line.level = levelOfWord(bytes, start, start + 1);
  line.levelStart = start;
  line.levelEnd = start + 1;
  line.setInteger(THREAD, thread);
  line.setText(FILE, bytes, threadEnd + 1, colon);
  line.setInteger(FILE_LINE, number);
  line.messageStart = bytes[close + 1] === SPACE ? close + 2 : close + 1;
  line.messageEnd = end;
  return true;
}
