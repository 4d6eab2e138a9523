// The bytes of a line without its colours (`ESC [ … m`): programs that colour what they print colour their stack traces
// too, each in its own places. Pure; linear. Most lines have none, and are not copied.

import { ESCAPE, pastColour } from '../line/scan.ts';

export function withoutColours(bytes: Uint8Array, from: number, to: number): Uint8Array {
  const plain = new Uint8Array(to - from);
  let length = 0;
  for (let at = from; at < to;) {
    const next = bytes[at] === ESCAPE ? pastColour(bytes, at, to) : at;
    if (next > at) at = next;
    else plain[length++] = bytes[at++]!;
  }
  return plain.subarray(0, length);
}
