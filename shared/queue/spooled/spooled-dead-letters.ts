// How much of a spool dead letters may use: a quarter, and half of that for the edge, by the shares of
// dead-letter-budget.ts. So while Kafka is away, one sender of bad data cannot fill the spool and have everybody
// refused.
//
// They are stored uncompressed. They count from the moment when they are on their way into the spool until it is empty.
// What the spool held when this process started is not counted.

import { SluiceError } from '#shared/errors.ts';
import type { QueueRecord } from '#shared/record/record.ts';
import { costOf, DeadLetterBudget, OWNER_UNKNOWN } from '../embedded/dead-letter-budget.ts';
import { ReportedDeadLetterSpace, deadLetterChargeOf } from '../embedded/dead-letter-space.ts';
import type { DeadLetter } from '../queue.ts';

const SHARE = 1 / 4;

export class SpooledDeadLetters extends ReportedDeadLetterSpace {
  readonly #budget: DeadLetterBudget;

  constructor(spoolBytesMax: number) {
    const bytesMax = Math.floor(spoolBytesMax * SHARE);
    super(bytesMax);
    this.#budget = new DeadLetterBudget(bytesMax);
  }

  /** Throws dead_letters_full. To be called where none of the records could be stored: what it returns. */
  admit(deadLetters: readonly DeadLetter[], records: readonly QueueRecord[]): () => void {
    const append = deadLetterChargeOf(deadLetters);
    const cost = records.reduce((sum, { value, batches }) => sum + costOf(value.length + batches.length), 0);
    const refusal = this.#budget.refusal(append, [cost]);
    if (refusal !== null) {
      this.tellRefused(refusal);
      throw new SluiceError(
        'dead_letters_full',
        'Cannot hold a dead letter: the queue takes none now, and those in the spool take what they may; it is taken ' +
          'again when the queue is back',
      );
    }
    const count = (bytes: number): void => {
      this.#budget.add(append.owners[0] ?? OWNER_UNKNOWN, bytes);
      this.#tell();
    };
    count(cost);
    return () => count(-cost);
  }

  clear(): void {
    this.#budget.clear();
    this.#tell();
  }

  #tell(): void {
    this.figures = { bytesStored: this.#budget.bytesStored, fullSenders: [], isClaimedFull: false };
  }
}
