// Ruby.
//
//   a.rb:3:in `f': x (RuntimeError)       since 3.4: in 'Object#f'
//   <TAB>from a.rb:6:in `<main>'

import { type Family, NONE, REST, ascii, endsWith, find, isDigit, isIndented, startsWith, wordEnd } from './line.ts';

const FRAMES = 1;
const IN = ascii(':in');
const IN_FUNCTION = ascii(':in ');
const FROM = ascii('\tfrom ');

export const ruby: Family = { opens, next };

function opens(bytes: Uint8Array, from: number, to: number): number {
  if (startsWith(bytes, from, to, FROM)) return find(bytes, from, to, IN_FUNCTION) < 0 ? NONE : FRAMES | REST;
  return isPlace(bytes, from, to) ? FRAMES : NONE;
}

function next(_step: number, bytes: Uint8Array, from: number, to: number): number {
  return isIndented(bytes, from, to) || isPlace(bytes, from, to) ? FRAMES : NONE;
}

/** Begins with `path:12:in ` and a quote. */
function isPlace(bytes: Uint8Array, from: number, to: number): boolean {
  const end = wordEnd(bytes, from, to);
  if (end === NONE || !endsWith(bytes, from, end, IN) || !isDigit(bytes[end - IN.length - 1])) return false;
  const quote = bytes[end + 1];
  return end + 1 < to && (quote === 0x60 || quote === 0x27);
}
