// The budget of the dead letters (dead-letter-budget.ts), which the worker thread keeps, as the rest of the process sees it: what is
// appended for whom, what is held, what was refused.

import { decodeBatches } from '#shared/record/record.ts';
import type { DeadLetter, DeadLetterSpace, LetterRefusal } from '../queue.ts';
import { costOf, type LetterAppend, type LetterOrigin, ownerOf, senderOf } from './dead-letter-budget.ts';
import type { LetterFigures } from './queue-worker.ts';

export class LetterSpace implements DeadLetterSpace {
  readonly bytesMax: number;
  #refused: (reason: LetterRefusal) => void = () => undefined;
  #bytesHeld = 0;
  #fullSenders: ReadonlySet<number> = new Set();

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  get bytesHeld(): number {
    return this.#bytesHeld;
  }

  /** As the worker told last. */
  set figures({ bytesHeld, fullSenders }: LetterFigures) {
    this.#bytesHeld = bytesHeld;
    this.#fullSenders = new Set(fullSenders);
  }

  isFullOf(sender: LetterOrigin): boolean {
    return this.#fullSenders.size > 0 && this.#fullSenders.has(senderOf(sender));
  }

  watch(refused: (reason: LetterRefusal) => void): void {
    this.#refused = refused;
  }

  tellRefused(reason: LetterRefusal): void {
    this.#refused(reason);
  }
}

/** Of whom these are, and what all parts of a large one take, lest it be refused in the middle. */
export function letterAppendOf(letters: readonly DeadLetter[]): LetterAppend {
  const owners = letters.map(({ from, batches }) => ownerOf(from, decodeBatches(batches)?.[0] ?? null));
  const part = letters[0]?.part;
  return { owners, wholeBytes: part?.at === 0 ? costOf(part.bytes) : 0 };
}
