// What Node says before an error that nobody caught: where it was thrown. The error's own line follows, and the rest is
// as in exceptions.ts.
//
//   /a.js:3
//     throw new TypeError('x');
//     ^
//
//   TypeError: x

import { type Family, NONE, TENTATIVE, ascii, endsWithNumber, isBlank, startsWith, wordEnd } from './line.ts';

const PLACE = 1;
const SOURCE = 2;
/** The error's own line comes next. */
export const CARET = 3;

const SCHEMES = ['/', 'file://', 'node:'].map(ascii);

export const uncaught: Family = { opens, next };

function opens(bytes: Uint8Array, from: number, to: number): number {
  const isPath = SCHEMES.some((prefix) => startsWith(bytes, from, to, prefix));
  return isPath && wordEnd(bytes, from, to) === to && endsWithNumber(bytes, from, to) ? PLACE | TENTATIVE : NONE;
}

function next(step: number, bytes: Uint8Array, from: number, to: number): number {
  if (step === CARET) return isBlank(bytes, from, to) ? CARET : NONE;
  if (step === SOURCE) return isCaret(bytes, from, to) ? CARET : NONE;
  return isBlank(bytes, from, to) || opens(bytes, from, to) !== NONE ? NONE : SOURCE | TENTATIVE;
}

function isCaret(bytes: Uint8Array, from: number, to: number): boolean {
  let carets = 0;
  for (let at = from; at < to; at += 1) {
    if (bytes[at] === 0x5e) carets += 1;
    else if (bytes[at] !== 0x20 && bytes[at] !== 0x09) return false;
  }
  return carets > 0;
}
