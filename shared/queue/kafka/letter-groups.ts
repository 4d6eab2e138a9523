// Dead letters in groups that fit in one append each.

import { type Headed, headedLetter } from '../headers.ts';
import type { DeadLetter } from '../queue.ts';

// What a dead letter's headers and framing take beside its bytes.
const LETTER_FRAMING_BYTES = 512;

/** Letters in appends that the topic takes. A letter that is too large alone is left to the brokers to refuse. */
export function* letterGroups(
  letters: readonly DeadLetter[],
  bytesMax: number,
): Generator<{ records: Headed[]; bytes: number }> {
  let records: Headed[] = [];
  let bytes = 0;
  for (const letter of letters) {
    const size =
      letter.value.length +
      letter.batches.length +
      Buffer.byteLength(letter.error) +
      letter.from.length +
      LETTER_FRAMING_BYTES;
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
