// Go: panics, fatal errors, and the stacks of goroutines.
//
//   panic: x                            goroutine 1 [running]:
//   [signal SIGSEGV: …]                 main.f(0x0)
//                                       <TAB>/a/main.go:4 +0x1d
//                                       created by main.main in goroutine 1
//                                       exit status 2

import { type Family, LAST, NONE, TENTATIVE, ascii, isBlank, isIndented, pastDigits, startsWith } from './line.ts';

const HEADER = 1;
const BLANK = 2;
const FRAMES = 3;

const HEADERS = ['panic: ', 'fatal error: ', 'SIGQUIT: ', 'unexpected fault address '].map(ascii);
const SIGNAL = ascii('[signal ');
const PC = ascii('PC=');
const GOROUTINE = ascii('goroutine ');
const RUNTIME = ascii('runtime stack:');
const CREATED = ascii('created by ');
const ELIDED = ascii('...additional frames elided');
const EXIT = ascii('exit status ');
const SPACE = 0x20;

export const go: Family = { opens, next };

function opens(bytes: Uint8Array, from: number, to: number): number {
  if (HEADERS.some((prefix) => startsWith(bytes, from, to, prefix))) return HEADER;
  return isGoroutine(bytes, from, to) ? FRAMES : NONE;
}

function next(step: number, bytes: Uint8Array, from: number, to: number): number {
  if (isBlank(bytes, from, to)) return BLANK | TENTATIVE;
  if (isGoroutine(bytes, from, to) || startsWith(bytes, from, to, RUNTIME)) return FRAMES;
  if (startsWith(bytes, from, to, EXIT)) return FRAMES | LAST;
  if (step === BLANK) return NONE;
  if (isIndented(bytes, from, to)) return step;
  if (step === HEADER) {
    const isMore = [SIGNAL, PC, ...HEADERS].some((prefix) => startsWith(bytes, from, to, prefix));
    return isMore ? HEADER : NONE;
  }
  const isFrame = startsWith(bytes, from, to, CREATED) || startsWith(bytes, from, to, ELIDED);
  return isFrame || isFunction(bytes, from, to) ? FRAMES : NONE;
}

/** `goroutine 12 [chan receive]:` */
function isGoroutine(bytes: Uint8Array, from: number, to: number): boolean {
  if (!startsWith(bytes, from, to, GOROUTINE) || bytes[to - 1] !== 0x3a) return false;
  const at = from + GOROUTINE.length;
  const end = pastDigits(bytes, at, to);
  return end > at && bytes[end] === SPACE;
}

/** `main.(*T).f(0x0, {0x1, 0x2})`: nothing but a name before the first parenthesis. */
function isFunction(bytes: Uint8Array, from: number, to: number): boolean {
  if (bytes[to - 1] !== 0x29) return false;
  for (let at = from; at < to; at += 1) {
    if (bytes[at] === 0x28) return at > from;
    if (bytes[at] === SPACE) return false;
  }
  return false;
}
