// Dead letters in appends that a topic takes: those that fit share one, those that do not go in parts, one append after
// the other.
//
// Guarantees: parts of one dead letter are appended in their order, each after the one before is held; all have the
// same key, from which the queue must choose the same partition. Rejects after all have ended, with the first failure;
// then what was held stays held.

import { randomBytes } from 'node:crypto';
import { deadLetterBytes, partsOf } from './dead-letter-parts.ts';
import type { DeadLetter } from './queue.ts';

const ID_BYTES = 16;

export interface DeadLetterAppend {
  readonly letters: readonly DeadLetter[];
  readonly bytes: number;
  /** Chooses the partition, if there is one: the id of the whole that these are parts of. */
  readonly key: Uint8Array | null;
}

interface SplitOptions {
  /** Of one append. */
  readonly bytesMax: number;
  /** Of a dead letter that must be split: random, unless a repeat is to write the same. */
  readonly idOf?: (letter: DeadLetter) => Uint8Array;
}

interface AppendDeadLettersOptions extends SplitOptions {
  append(append: DeadLetterAppend): Promise<void>;
}

interface AppendSequencesOptions extends SplitOptions {
  /** Appends that must follow one another: all parts of a large dead letter. */
  appendAll(sequence: readonly DeadLetterAppend[]): Promise<void>;
}

export function appendDeadLetters(
  letters: readonly DeadLetter[],
  { append, ...split }: AppendDeadLettersOptions,
): Promise<void> {
  return appendSequences(letters, {
    ...split,
    async appendAll(sequence) {
      for (const one of sequence) await append(one);
    },
  });
}

export async function appendSequences(
  letters: readonly DeadLetter[],
  { bytesMax, appendAll, idOf = () => randomBytes(ID_BYTES) }: AppendSequencesOptions,
): Promise<void> {
  const outcomes = await Promise.allSettled(
    sequencesOf(letters, bytesMax, idOf).map((sequence) => appendAll(sequence)),
  );
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

/** Appends that may be in flight together; those of an inner list only one after another. */
function sequencesOf(
  letters: readonly DeadLetter[],
  bytesMax: number,
  idOf: (letter: DeadLetter) => Uint8Array,
): DeadLetterAppend[][] {
  const whole: DeadLetter[] = [];
  const partsByWhole = new Map<string, DeadLetter[]>();
  for (const letter of letters) {
    for (const part of partsOf(letter, bytesMax, () => idOf(letter))) {
      if (part.part === undefined) {
        whole.push(part);
        continue;
      }
      const name = Buffer.from(part.part.id).toString('hex');
      const parts = partsByWhole.get(name);
      if (parts) parts.push(part);
      else partsByWhole.set(name, [part]);
    }
  }
  const sequences = grouped(whole, bytesMax, null).map((append) => [append]);
  for (const parts of partsByWhole.values()) sequences.push(grouped(parts, bytesMax, parts[0]?.part?.id ?? null));
  return sequences;
}

function grouped(letters: readonly DeadLetter[], bytesMax: number, key: Uint8Array | null): DeadLetterAppend[] {
  const appends: { letters: DeadLetter[]; bytes: number; key: Uint8Array | null }[] = [];
  for (const letter of letters) {
    const bytes = deadLetterBytes(letter);
    const last = appends.at(-1);
    if (last && last.bytes + bytes <= bytesMax) {
      last.letters.push(letter);
      last.bytes += bytes;
    } else appends.push({ letters: [letter], bytes, key });
  }
  return appends;
}
