// Which lines make a stack trace: a state machine over the lines of one source, one line at a time. Pure. Colours are
// passed over. A text that has several lines already is of no trace: who sends such a one has joined it.
//
//   openingOf(line)            the state after a line that opens a trace, NONE after any other
//   nextState(state, line)     the state after the next line, NONE where the trace ended before it
//
// Guarantees: linear in the line, without backtracking; most lines are refused by their first byte or first word. A
// state is a number: its family and step, with TENTATIVE, LAST and REST (line.ts) as what is to be known of the line.

import { ONE_LINE_STEPS, exceptions } from './exceptions.ts';
import { go } from './go.ts';
import { withoutColours } from './colours.ts';
import { type Family, NONE, ascii, endsWith } from './line.ts';
import { isStackTrace, php } from './php.ts';
import { python } from './python.ts';
import { ruby } from './ruby.ts';
import { rust } from './rust.ts';
import { CARET, uncaught } from './uncaught.ts';
import { ESCAPE, find, pastBlanks } from '../line/scan.ts';

/** In the order in which they are asked; a family's number is its place. */
const families: readonly Family[] = [exceptions, python, go, rust, php, ruby, uncaught];
const EXCEPTIONS = families.indexOf(exceptions);
const PHP = families.indexOf(php);
const UNCAUGHT = families.indexOf(uncaught);
const STEP_BITS = 4;
const STEP = (1 << STEP_BITS) - 1;
const FAMILY = 0x0f;
const MARKS = ~0xff;

const LINE_BREAK = 0x0a;

interface Line {
  readonly bytes: Uint8Array;
  readonly from: number;
  /** Before its line break. */
  readonly end: number;
}

/** By the first byte of a line: whether one that opens a trace can begin so. */
const CAN_OPEN = new Uint8Array(256);
for (const byte of ascii('\t #/.<[_\x1b')) CAN_OPEN[byte] = 1;
for (let byte = 0x41; byte <= 0x5a; byte += 1) CAN_OPEN[byte] = CAN_OPEN[byte + 0x20] = 1;

/** Words that lines begin with of which a further look is worth it, beside names of exceptions and places. */
const FIRST_WORDS = new Set(
  [
    'Traceback During The Exception Unhandled Uncaught Caused Wrapped Suppressed:',
    'panic: fatal SIGQUIT: unexpected goroutine thread stack PHP Fatal',
  ]
    .flatMap((words) => words.split(' '))
    .map((word) => hashOf(ascii(word), 0, word.length)),
);
const WORD_BYTES_MAX = 512;
/** Looked at first of a line that begins with a colour: its first word, and the colours round it. */
const COLOURED_HEAD_BYTES = 256;
const ENDINGS = ['Error:', 'Exception:', 'Throwable:', 'Error', 'Exception', 'Throwable', ':in'].map(ascii);

/** The text of a line is bytes[from, to); a line break at its end does not count. */
export function openingOf(bytes: Uint8Array, from: number, to: number): number {
  if (from >= to || CAN_OPEN[bytes[from]!] === 0) return NONE;
  const end = lineEnd(bytes, from, to);
  if (bytes[from] === ESCAPE) return openingOfColoured(bytes, from, end);
  return mayOpen(bytes, from, end) ? openingOfAny(bytes, from, end) : NONE;
}

function openingOfColoured(bytes: Uint8Array, from: number, to: number): number {
  const at = pastBlanks(bytes, from, to);
  if (at === from || at >= to || CAN_OPEN[bytes[at]!] === 0) return NONE;
  // Some programs colour all of their lines: most are refused by how they begin.
  const head = withoutColours(bytes, from, Math.min(to, from + COLOURED_HEAD_BYTES));
  if (!mayOpen(head, 0, head.length)) return NONE;
  const plain = withoutColours(bytes, from, to);
  return mayOpen(plain, 0, plain.length) ? openingOfAny(plain, 0, plain.length) : NONE;
}

export function nextState(state: number, bytes: Uint8Array, from: number, to: number): number {
  const number = (state >> STEP_BITS) & FAMILY;
  const step = state & STEP;
  const end = lineEnd(bytes, from, to);
  if (find(bytes, from, end, LINE_BREAK) >= 0) return NONE;
  if (find(bytes, from, end, ESCAPE) < 0) return nextOf(number, step, { bytes, from, end });
  const plain = withoutColours(bytes, from, end);
  return nextOf(number, step, { bytes: plain, from: 0, end: plain.length });
}

function nextOf(number: number, step: number, { bytes, from, end }: Line): number {
  // An exception that PHP was asked for as text begins as those of others.
  if (number === EXCEPTIONS && ONE_LINE_STEPS.has(step) && isStackTrace(bytes, from, end))
    return stateOf(PHP, php.next(1, bytes, from, end));
  const next = families[number]!.next(step, bytes, from, end);
  if (next !== NONE) return stateOf(number, next);
  if (number !== UNCAUGHT || step !== CARET) return NONE;
  const opened = exceptions.opens(bytes, from, end);
  return opened === NONE ? NONE : stateOf(0, opened);
}

function openingOfAny(bytes: Uint8Array, from: number, to: number): number {
  if (find(bytes, from, to, LINE_BREAK) >= 0) return NONE;
  for (let number = 0; number < families.length; number += 1) {
    const opened = families[number]!.opens(bytes, from, to);
    if (opened !== NONE) return stateOf(number, opened);
  }
  return NONE;
}

function stateOf(family: number, step: number): number {
  return (step & MARKS) | (family << STEP_BITS) | (step & STEP);
}

/** A quick look at the first word. */
function mayOpen(bytes: Uint8Array, from: number, to: number): boolean {
  const first = bytes[from]!;
  if (first < 0x2e) return isIndentedFrame(bytes, from, to) || isIndentedName(bytes, from, to);
  const limit = Math.min(to, from + WORD_BYTES_MAX);
  let at = from;
  while (at < limit && bytes[at] !== 0x20) at += 1;
  if (first === 0x5b) return true;
  const last = bytes[at - 1]!;
  // "r", "n", "e" and ":" are the last letters of the endings; a digit that of a place.
  if (last === 0x3a || last === 0x72 || last === 0x6e || last === 0x65) {
    for (let i = 0; i < ENDINGS.length; i += 1) if (endsWith(bytes, from, at, ENDINGS[i]!)) return true;
  }
  if (at === to && last >= 0x30 && last <= 0x39) return true;
  return at - from < 16 && FIRST_WORDS.has(hashOf(bytes, from, at));
}

/** Behind the spaces: `at`, `...`, `File`, `from`, `Suppressed:`, `+`; or a `#` and a digit. */
function isIndentedFrame(bytes: Uint8Array, from: number, to: number): boolean {
  if (bytes[from] === 0x23) return true;
  let at = from;
  while (at < to && (bytes[at] === 0x20 || bytes[at] === 0x09)) at += 1;
  const first = at < to ? bytes[at]! : 0;
  return first === 0x61 || first === 0x2e || first === 0x46 || first === 0x66 || first === 0x53 || first === 0x2b;
}

/** Behind the spaces: a word that ends as names of exceptions do. */
function isIndentedName(bytes: Uint8Array, from: number, to: number): boolean {
  let start = from;
  while (start < to && (bytes[start] === 0x20 || bytes[start] === 0x09)) start += 1;
  const limit = Math.min(to, start + WORD_BYTES_MAX);
  let at = start;
  while (at < limit && bytes[at] !== 0x20) at += 1;
  return at > start && ENDINGS.some((ending) => endsWith(bytes, start, at, ending));
}

function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = 1;
  for (let i = from; i < to; i += 1) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return hash;
}

/** Before a line break, of which some senders leave one at the end. */
function lineEnd(bytes: Uint8Array, from: number, to: number): number {
  let end = to;
  if (end > from && bytes[end - 1] === 0x0a) end -= 1;
  if (end > from && bytes[end - 1] === 0x0d) end -= 1;
  return end;
}
