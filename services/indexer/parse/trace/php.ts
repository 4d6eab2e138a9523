// PHP, as its log and its output have it.
//
//   PHP Fatal error:  Uncaught Exception: x in /a.php:3
//   Stack trace:
//   #0 /a.php(6): f()
//   #1 {main}
//     thrown in /a.php on line 3

import {
  type Family,
  LAST,
  NONE,
  REST,
  TENTATIVE,
  ascii,
  find,
  isBlank,
  isIndented,
  pastDigits,
  startsWith,
} from './line.ts';

const HEADER = 1;
const FRAMES = 2;
const BLANK = 3;

const FATAL = ['PHP Fatal error:  Uncaught ', 'PHP Fatal error: Uncaught ', 'Fatal error: Uncaught '].map(ascii);
const LOGGED = ascii('] PHP Fatal error:  Uncaught ');
/** `[22-Nov-2026 19:27:10 Europe/Berlin]`, with the longest names of zones. */
const DATE_BYTES_MAX = 64;
const STACK = ascii('Stack trace:');
const NEXT = ascii('Next ');
const THROWN = ascii('  thrown in ');
const CALL = ascii('): ');
const MAIN = ascii(' {main}');
const HASH = 0x23;

export const php: Family = { opens, next };

function opens(bytes: Uint8Array, from: number, to: number): number {
  const first = bytes[from];
  if (first === HASH) return isFrame(bytes, from, to) ? FRAMES | REST : NONE;
  if (first === 0x5b) {
    const limit = Math.min(to, from + DATE_BYTES_MAX + LOGGED.length);
    return find(bytes, from, limit, LOGGED) < 0 ? NONE : HEADER;
  }
  return FATAL.some((prefix) => startsWith(bytes, from, to, prefix)) ? HEADER : NONE;
}

function next(step: number, bytes: Uint8Array, from: number, to: number): number {
  if (startsWith(bytes, from, to, STACK) || isFrame(bytes, from, to)) return step === BLANK ? NONE : FRAMES;
  if (startsWith(bytes, from, to, THROWN)) return step === BLANK ? NONE : FRAMES | LAST;
  if (isBlank(bytes, from, to)) return step === FRAMES ? BLANK | TENTATIVE : NONE;
  if (step !== HEADER && startsWith(bytes, from, to, NEXT)) return HEADER;
  return step !== BLANK && isIndented(bytes, from, to) ? step : NONE;
}

export function isStackTrace(bytes: Uint8Array, from: number, to: number): boolean {
  return to - from === STACK.length && startsWith(bytes, from, to, STACK);
}

/** `#0 /a.php(6): f()`, `#1 {main}` */
function isFrame(bytes: Uint8Array, from: number, to: number): boolean {
  if (bytes[from] !== HASH) return false;
  const end = pastDigits(bytes, from + 1, to);
  if (end === from + 1 || bytes[end] !== 0x20) return false;
  return startsWith(bytes, end, to, MAIN) || find(bytes, end, to, CALL) >= 0;
}
