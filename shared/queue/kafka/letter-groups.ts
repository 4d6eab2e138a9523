// Dead letters in groups that fit in one append each.

import { type Headed, headedLetter } from '../headers.ts';
import type { DeadLetter } from '../queue.ts';

// What a dead letter's headers and framing take beside its bytes.
const LETTER_FRAMING_BYTES = 512;

/** Letters in appends that the topic takes. One that is too large alone is cut and marked: it must not keep its event from an outcome. */
export function* letterGroups(
  letters: readonly DeadLetter[],
  bytesMax: number,
): Generator<{ records: Headed[]; bytes: number }> {
  let records: Headed[] = [];
  let bytes = 0;
  for (const whole of letters) {
    const letter = cutTo(whole, bytesMax);
    const size = sizeOf(letter);
    if (records.length > 0 && bytes + size > bytesMax) {
      yield { records, bytes };
      records = [];
      bytes = 0;
    }
    records.push(headedLetter(letter));
    bytes += size;
  }
  if (records.length > 0) yield { records, bytes };
}

/** The value gives way first, then the table: that of a whole record can be large, and without the value it names nothing. */
function cutTo(letter: DeadLetter, bytesMax: number): DeadLetter {
  const excess = sizeOf(letter) - bytesMax;
  if (excess <= 0) return letter;
  const value = letter.value.subarray(0, Math.max(0, letter.value.length - excess));
  const cut = { ...letter, value, cut: true };
  return sizeOf(cut) <= bytesMax ? cut : { ...cut, batches: new Uint8Array(0) };
}

function sizeOf({ value, batches, error, from }: DeadLetter): number {
  return value.length + batches.length + Buffer.byteLength(error) + from.length + LETTER_FRAMING_BYTES;
}
