// Rust: panics, with and without a backtrace.
//
//   thread 'main' panicked at src/main.rs:2:5:
//   x
//   stack backtrace:
//      0: rust_begin_unwind
//                at /rustc/…
//   note: run with `RUST_BACKTRACE=1` …      ends it

import { type Family, LAST, NONE, REST, ascii, find, isIndented, startsWith } from './line.ts';

/** The message comes next. */
const OPENED = 1;
const MESSAGE = 2;
const FRAMES = 3;

const THREAD = ascii("thread '");
const PANICKED = ascii(' panicked at ');
const STACK = ascii('stack backtrace:');
const NOTE = ascii('note: ');
const COLON = 0x3a;

export const rust: Family = { opens, next };

function opens(bytes: Uint8Array, from: number, to: number): number {
  if (startsWith(bytes, from, to, STACK)) return FRAMES | REST;
  if (!startsWith(bytes, from, to, THREAD) || find(bytes, from, to, PANICKED) < 0) return NONE;
  // Before 1.73 the message was in this line.
  return bytes[to - 1] === COLON ? OPENED : MESSAGE;
}

function next(step: number, bytes: Uint8Array, from: number, to: number): number {
  if (step === OPENED) return MESSAGE;
  if (startsWith(bytes, from, to, NOTE)) return FRAMES | LAST;
  if (step === MESSAGE && startsWith(bytes, from, to, STACK)) return FRAMES;
  return isIndented(bytes, from, to) ? step : NONE;
}
