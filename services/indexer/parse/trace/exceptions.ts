// An exception's own line, then indented lines: Java, Kotlin and other languages of the JVM, .NET, Node.
//
//   java.lang.IllegalStateException: x         Unhandled exception. System.Exception: x      TypeError: x
//   <TAB>at a.B.c(B.java:12)                      at A.B() in /a.cs:line 3                      at f (/a.js:1:2) {
//   Caused by: java.io.IOException: y          --- End of stack trace from … ---              code: 'E'
//   (in .NET's console all of it is indented)
//   <TAB>... 12 more                                                                         }
//
// A message of several lines is joined where a frame follows within MESSAGE_LINES_MAX lines, and where it can be
// expected: behind a name with a dot, or a blank line. What begins as lines of a log do is none of it.

import {
  type Family,
  LAST,
  NONE,
  REST,
  TENTATIVE,
  ascii,
  beginsLog,
  endsWithNumber,
  exceptionNameEnd,
  find,
  isBlank,
  isDigit,
  isIndented,
  pastSpaces,
  startsWith,
} from './line.ts';

/** Nothing but the exception's own line. */
const OPENED = 1;
/** The same, and its message may go on. */
const NAMED = 2;
const FRAMES = 3;
const BLANK_AFTER_FRAMES = 4;
/** Steps before which nothing but the exception's own line came. */
export const ONE_LINE_STEPS: ReadonlySet<number> = new Set([OPENED, NAMED]);
/** The first line of a message's rest; up to 15 for the ones after it. */
const MESSAGE = 5;
const MESSAGE_LINES_MAX = 10;

const BEFORE_NAME = [
  'Unhandled exception. ',
  'Unhandled Exception: ',
  '[ERROR] FATAL UNHANDLED EXCEPTION: ',
  'Uncaught ',
].map(ascii);
const IN_THREAD = ascii('Exception in thread "');
const CAUSES = ['Caused by: ', 'Wrapped by: ', 'Suppressed: '].map(ascii);
const END_OF = ascii('--- End of ');
const AT = ascii('at ');
const MORE = ascii('... ');
const SUPPRESSED = ascii('Suppressed: ');
const NODE = ascii('Node.js v');
const LINE = ascii(':line ');
const DOT = 0x2e;
const CLOSING = new Set([0x7d, 0x5d]);

export const exceptions: Family = { opens, next };

function opens(bytes: Uint8Array, from: number, to: number): number {
  const first = bytes[from];
  if (first === 0x20 || first === 0x09) return opensIndented(bytes, from, to);
  if (startsWith(bytes, from, to, IN_THREAD)) return NAMED;
  const cause = CAUSES.find((prefix) => startsWith(bytes, from, to, prefix));
  if (cause) return exceptionNameEnd(bytes, from + cause.length, to) === NONE ? NONE : NAMED | REST;
  const before = BEFORE_NAME.find((prefix) => startsWith(bytes, from, to, prefix));
  const nameAt = from + (before?.length ?? 0);
  const end = exceptionNameEnd(bytes, nameAt, to);
  if (end === NONE) return NONE;
  return bytes.subarray(nameAt, end).includes(DOT) ? NAMED : OPENED;
}

/** A frame; or, in the indented text of .NET's console, an exception. */
function opensIndented(bytes: Uint8Array, from: number, to: number): number {
  if (isFrame(bytes, from, to)) return FRAMES | REST;
  const at = pastSpaces(bytes, from, to);
  const end = exceptionNameEnd(bytes, at, to);
  return end !== NONE && bytes.subarray(at, end).includes(DOT) ? OPENED : NONE;
}

function next(step: number, bytes: Uint8Array, from: number, to: number): number {
  if (step >= MESSAGE) return inMessage(step, bytes, from, to);
  if (step === BLANK_AFTER_FRAMES) return startsWith(bytes, from, to, NODE) ? FRAMES | LAST : NONE;
  if (isIndented(bytes, from, to)) return FRAMES;
  if (CAUSES.some((prefix) => startsWith(bytes, from, to, prefix))) return NAMED;
  if (isBlank(bytes, from, to)) return (step === FRAMES ? BLANK_AFTER_FRAMES : MESSAGE) | TENTATIVE;
  if (step !== FRAMES) {
    const isMessage = step === NAMED && !isOpening(bytes, from, to) && !beginsLog(bytes, from, to);
    return isMessage ? MESSAGE | TENTATIVE : NONE;
  }
  return CLOSING.has(bytes[from]!) || startsWith(bytes, from, to, END_OF) ? FRAMES : NONE;
}

function inMessage(step: number, bytes: Uint8Array, from: number, to: number): number {
  if (isFrame(bytes, from, to)) return FRAMES;
  if (step + 1 >= MESSAGE + MESSAGE_LINES_MAX || isOpening(bytes, from, to) || beginsLog(bytes, from, to)) return NONE;
  return (step + 1) | TENTATIVE;
}

/** What begins another trace ends this one. */
function isOpening(bytes: Uint8Array, from: number, to: number): boolean {
  if (isIndented(bytes, from, to)) return isFrame(bytes, from, to);
  return opens(bytes, from, to) !== NONE || startsWith(bytes, from, to, TRACEBACK);
}
const TRACEBACK = ascii('Traceback ');

/** A line that is part of such a trace whatever came before it. */
function isFrame(bytes: Uint8Array, from: number, to: number): boolean {
  const at = pastSpaces(bytes, from, to);
  if (at === from) return false;
  if (startsWith(bytes, at, to, SUPPRESSED)) return exceptionNameEnd(bytes, at + SUPPRESSED.length, to) !== NONE;
  if (startsWith(bytes, at, to, MORE)) return isDigit(bytes[at + MORE.length]);
  if (!startsWith(bytes, at, to, AT)) return false;
  // `at a.B.c(B.java:12)`, with `~[a.jar:1.0]` behind it, `at f (/a.js:1:2) {`, `at /a.js:1:2`,
  // `at A.B() in /a.cs:line 3`
  const opening = bytes.subarray(at, to).indexOf(0x28);
  // Mono ends its lines with a space.
  const end = bytes[to - 1] === 0x20 ? to - 1 : to;
  const last = bytes[end - 1]!;
  if (opening >= 0 && (last === 0x29 || last === 0x5d || last === 0x7b)) return true;
  return endsWithNumber(bytes, at, end) || (isDigit(last) && find(bytes, at, to, LINE) >= 0);
}
