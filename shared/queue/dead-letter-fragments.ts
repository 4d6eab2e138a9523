// A dead letter that is larger than a record of its topic, in fragments. A fragment is a range of the whole's bytes, so
// one that turns out too large for a lowered limit can be split again.
//
//   whole       (table of batches, where a header cannot hold it) value
//   fragments   |<- at 0 ->|<- at n ->|<- … ->|
//               each with all other headers, the id of the whole, its own place, and the size of the whole
//
// Fragments lie in one partition in order. A range that was read before is a repeat; one that begins later than
// expected leaves a gap.
//
// Guarantees: nothing of a value is lost by splitting; a whole is told apart from one of which fragments are missing.

import type { DeadLetter, DeadLetterFragment } from './queue.ts';

/** What a dead letter's headers and framing take beside its bytes, its table, `error` and `from`. */
const FRAMING_BYTES = 512;
/**
 * Of what a record may have, a header takes so much at most; a table that is larger goes into the value, an error is
 * shortened.
 */
const HEADER_SHARE = 0.25;
/** A fragment has so many bytes at least, however small the limit is: a topic that refuses that needs its operator. */
const FRAGMENT_BYTES_MIN = 1024;
const NO_BATCHES = new Uint8Array(0);

/** Bytes that it takes in a queue, framing included, at most. */
export function deadLetterBytes({ value, batches, error, from }: DeadLetter): number {
  return value.length + batches.length + Buffer.byteLength(error) + Buffer.byteLength(from) + FRAMING_BYTES;
}

/**
 * The same in as many fragments as a limit of `bytesMax` for each needs; itself where it fits. `newId`: 16 bytes, of
 * this whole only.
 */
export function fragmentsOf(deadLetter: DeadLetter, bytesMax: number, newId: () => Uint8Array): readonly DeadLetter[] {
  if (deadLetterBytes(deadLetter) <= bytesMax) return [deadLetter];
  const headerMax = Math.max(FRAGMENT_BYTES_MIN, Math.floor(bytesMax * HEADER_SHARE));
  const isTableLarge = deadLetter.fragment === undefined && deadLetter.batches.length > headerMax;
  const value = isTableLarge ? Buffer.concat([deadLetter.batches, deadLetter.value]) : deadLetter.value;
  const batches = isTableLarge ? NO_BATCHES : deadLetter.batches;
  const error = shortened(deadLetter.error, headerMax);
  const bare = { ...deadLetter, batches, error, value: NO_BATCHES };
  const fragmentMax = Math.max(FRAGMENT_BYTES_MIN, bytesMax - deadLetterBytes(bare));
  if (value.length <= fragmentMax && !isTableLarge) return [{ ...bare, value }];
  const tableBytes = isTableLarge ? deadLetter.batches.length : 0;
  const whole = deadLetter.fragment ?? { id: newId(), at: 0, bytes: value.length, tableBytes };
  const fragments: DeadLetter[] = [];
  for (let at = 0; at < value.length; at += fragmentMax)
    fragments.push({ ...bare, value: value.subarray(at, at + fragmentMax), fragment: { ...whole, at: whole.at + at } });
  return fragments;
}

/** Without a character that is cut in half. */
function shortened(text: string, bytesMax: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= bytesMax) return text;
  let end = bytesMax;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}

/** How far each whole was read, by a key of its own: the bytes from its beginning on without a gap. */
export class FragmentProgress {
  readonly #next = new Map<string, number>();

  /** Undefined where no fragment of it was seen. */
  bytesOf(key: string): number | undefined {
    return this.#next.get(key);
  }

  /**
   * How many of the fragment's first bytes are known already; null where it adds nothing, be it a repeat or behind a
   * gap.
   */
  take(key: string, { at }: Pick<DeadLetterFragment, 'at'>, length: number): number | null {
    const next = this.#next.get(key) ?? 0;
    const adds = at <= next && at + length > next;
    this.#next.set(key, adds ? at + length : next);
    return adds ? next - at : null;
  }
}
