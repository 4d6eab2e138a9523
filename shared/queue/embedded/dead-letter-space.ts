// The budget of the dead letters (dead-letter-budget.ts) as the rest of the process sees it. The queue's thread keeps
// it; here is what it reported last: how much is stored, and which senders have used up their share.

import { decodeBatches } from '#shared/record/record.ts';
import type { DeadLetter, DeadLetterSpace, DeadLetterRefusal } from '../queue.ts';
import {
  isClaimedSender,
  type DeadLetterCharge,
  type DeadLetterSender,
  ownerOf,
  senderOf,
} from './dead-letter-budget.ts';
import type { DeadLetterFigures } from './dead-letter-account.ts';

export class ReportedDeadLetterSpace implements DeadLetterSpace {
  readonly bytesMax: number;
  #refused: (reason: DeadLetterRefusal) => void = () => undefined;
  #bytesStored = 0;
  #fullSenders: ReadonlySet<number> = new Set();
  #isClaimedFull = false;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  get bytesStored(): number {
    return this.#bytesStored;
  }

  /** As the thread reported last. */
  set figures({ bytesStored, fullSenders, isClaimedFull }: DeadLetterFigures) {
    this.#bytesStored = bytesStored;
    this.#fullSenders = new Set(fullSenders);
    this.#isClaimedFull = isClaimedFull;
  }

  isFullOf(sender: DeadLetterSender): boolean {
    if (this.#fullSenders.size === 0 && !this.#isClaimedFull) return false;
    const number = senderOf(sender);
    return this.#fullSenders.has(number) || (this.#isClaimedFull && isClaimedSender(number));
  }

  watch(refused: (reason: DeadLetterRefusal) => void): void {
    this.#refused = refused;
  }

  tellRefused(reason: DeadLetterRefusal): void {
    this.#refused(reason);
  }
}

/** Of whom these are. `wholeBytes`: what all fragments of a large one take, lest it be refused in the middle. */
export function deadLetterChargeOf(deadLetters: readonly DeadLetter[], wholeBytes = 0): DeadLetterCharge {
  return { owners: deadLetters.map(ownerOfDeadLetter), wholeBytes };
}

/** At the edge it is known from where it came, also of who gives itself a name. */
function ownerOfDeadLetter({ from, batches, peerAddress }: DeadLetter): number {
  const batch = decodeBatches(batches)?.[0] ?? null;
  const isElsewhere = batch !== null && peerAddress !== undefined;
  return ownerOf(from, isElsewhere ? { ...batch, sender: peerAddress } : batch);
}
