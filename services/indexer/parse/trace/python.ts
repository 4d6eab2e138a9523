// Python, its chained exceptions and its groups.
//
//   Traceback (most recent call last):
//     File "a.py", line 3, in f
//       g()
//       ~^^
//   ValueError: x                       ends it, but for
//
//   During handling of the above exception, another exception occurred:
//
//   Traceback (most recent call last):

import { type Family, NONE, REST, TENTATIVE, ascii, find, isBlank, isIndented, pastName, startsWith } from './line.ts';

const OPENED = 1;
const FRAMES = 2;
const EXCEPTION = 3;
const BLANK = 4;
/** Behind "During handling of …". */
const CHAINED = 5;
/** A line that says in which thread, or what is ignored; the traceback comes next. */
const ANNOUNCED = 6;
/** All lines of a group are indented. */
const GROUP = 7;

const TRACEBACK = ascii('Traceback (most recent call last):');
const GROUP_TRACEBACK = ascii('  + Exception Group Traceback (most recent call last):');
const FILE = ascii('  File "');
const LINE = ascii('", line ');
const IN = ascii(', in ');
const CHAINS = ['During handling of the above exception, ', 'The above exception was the direct cause '].map(ascii);
const IN_THREAD = ascii('Exception in thread ');
const IGNORED = ascii('Exception ignored ');
const COLON = 0x3a;

export const python: Family = { opens, next };

function opens(bytes: Uint8Array, from: number, to: number): number {
  if (startsWith(bytes, from, to, TRACEBACK)) return OPENED;
  if (startsWith(bytes, from, to, GROUP_TRACEBACK)) return GROUP;
  if (startsWith(bytes, from, to, FILE)) {
    const lineAt = find(bytes, from, to, LINE);
    if (lineAt < 0) return NONE;
    // A syntax error has no function, and no line before this one.
    return find(bytes, lineAt, to, IN) < 0 ? FRAMES : FRAMES | REST;
  }
  if (isChain(bytes, from, to)) return CHAINED | REST;
  if (startsWith(bytes, from, to, IN_THREAD) || startsWith(bytes, from, to, IGNORED))
    return bytes[to - 1] === COLON || startsWith(bytes, from, to, IGNORED) ? ANNOUNCED | TENTATIVE : NONE;
  return NONE;
}

function next(step: number, bytes: Uint8Array, from: number, to: number): number {
  const indented = isIndented(bytes, from, to);
  if (step === GROUP) return indented ? GROUP : NONE;
  if (step === OPENED) return indented ? FRAMES : NONE;
  if (step === FRAMES) {
    if (indented) return FRAMES;
    const end = pastName(bytes, from, to);
    return end > from && (end === to || bytes[end] === COLON) ? EXCEPTION : NONE;
  }
  const blank = isBlank(bytes, from, to);
  if (step === EXCEPTION) return indented ? EXCEPTION : blank ? BLANK | TENTATIVE : NONE;
  if (step === BLANK) return isChain(bytes, from, to) ? CHAINED : NONE;
  if (step === CHAINED && blank) return CHAINED | TENTATIVE;
  return startsWith(bytes, from, to, TRACEBACK) ? OPENED : NONE;
}

function isChain(bytes: Uint8Array, from: number, to: number): boolean {
  return CHAINS.some((prefix) => startsWith(bytes, from, to, prefix));
}
