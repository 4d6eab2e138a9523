// Groups dead letters into appends that a topic accepts. Small ones share an append. A large one is split into
// fragments, which are appended one after another.
//
// Guarantees: fragments of one dead letter are appended in their order, each after the one before is stored. All of
// them have the same key, from which the queue must choose the same partition. It rejects with the first failure after
// all appends have ended; what was stored by then stays stored.

import { randomBytes } from 'node:crypto';
import { deadLetterBytes, fragmentsOf } from './dead-letter-fragments.ts';
import type { DeadLetter } from './queue.ts';

const ID_BYTES = 16;

export interface DeadLetterAppend {
  readonly deadLetters: readonly DeadLetter[];
  readonly bytes: number;
  /** Chooses the partition, if there is one: the id of the whole that these are fragments of. */
  readonly key: Uint8Array | null;
}

interface SplitOptions {
  /** Of one append. */
  readonly bytesMax: number;
  /** Of a dead letter that must be split: random, unless a repeat is to write the same. */
  readonly idOf?: (deadLetter: DeadLetter) => Uint8Array;
}

interface AppendDeadLettersOptions extends SplitOptions {
  append(append: DeadLetterAppend): Promise<void>;
}

interface AppendSequencesOptions extends SplitOptions {
  /** Appends that must follow one another: all fragments of a large dead letter. */
  appendAll(sequence: readonly DeadLetterAppend[]): Promise<void>;
}

export function appendDeadLetters(
  deadLetters: readonly DeadLetter[],
  { append, ...split }: AppendDeadLettersOptions,
): Promise<void> {
  return appendSequences(deadLetters, {
    ...split,
    async appendAll(sequence) {
      for (const one of sequence) await append(one);
    },
  });
}

export async function appendSequences(
  deadLetters: readonly DeadLetter[],
  { bytesMax, appendAll, idOf = () => randomBytes(ID_BYTES) }: AppendSequencesOptions,
): Promise<void> {
  const outcomes = await Promise.allSettled(
    sequencesOf(deadLetters, bytesMax, idOf).map((sequence) => appendAll(sequence)),
  );
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

/** Appends that may be in flight together; those of an inner list only one after another. */
function sequencesOf(
  deadLetters: readonly DeadLetter[],
  bytesMax: number,
  idOf: (deadLetter: DeadLetter) => Uint8Array,
): DeadLetterAppend[][] {
  const whole: DeadLetter[] = [];
  const fragmentsByWhole = new Map<string, DeadLetter[]>();
  for (const deadLetter of deadLetters) {
    for (const fragment of fragmentsOf(deadLetter, bytesMax, () => idOf(deadLetter))) {
      if (fragment.fragment === undefined) {
        whole.push(fragment);
        continue;
      }
      const name = Buffer.from(fragment.fragment.id).toString('hex');
      const fragments = fragmentsByWhole.get(name);
      if (fragments) fragments.push(fragment);
      else fragmentsByWhole.set(name, [fragment]);
    }
  }
  const sequences = grouped(whole, bytesMax, null).map((append) => [append]);
  for (const fragments of fragmentsByWhole.values())
    sequences.push(grouped(fragments, bytesMax, fragments[0]?.fragment?.id ?? null));
  return sequences;
}

function grouped(deadLetters: readonly DeadLetter[], bytesMax: number, key: Uint8Array | null): DeadLetterAppend[] {
  const appends: { deadLetters: DeadLetter[]; bytes: number; key: Uint8Array | null }[] = [];
  for (const deadLetter of deadLetters) {
    const bytes = deadLetterBytes(deadLetter);
    const last = appends.at(-1);
    if (last && last.bytes + bytes <= bytesMax) {
      last.deadLetters.push(deadLetter);
      last.bytes += bytes;
    } else appends.push({ deadLetters: [deadLetter], bytes, key });
  }
  return appends;
}
