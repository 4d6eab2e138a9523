// Dead letters of the pipeline on their way to the queue: how many events they are, what they take in memory, and what
// becomes of their events.
//
// Guarantees: an event is settled as dead-lettered only after its dead letter is stored durably, else as abandoned.
// What waits counts in the budget that stops reading, with what a dead letter costs beside its entry: an entry may be a
// byte.

import type { ByteBudget } from '#shared/byte-budget.ts';
import type { EventRef } from './bulk-batch.ts';
import { DEAD_LETTER_IN_HAND_BYTES } from '../unpack/bytes-in-hand.ts';
import type { RecordInHand } from '../commit/in-hand.ts';
import type { Ending, EndingReason, Ledger } from './ledger.ts';

export interface PendingDeadLettersOptions {
  readonly ledger: Ledger;
  readonly budget: ByteBudget;
}

export class PendingDeadLetters {
  readonly #options: PendingDeadLettersOptions;
  readonly #open = new Set<Promise<void>>();
  #events = 0;
  #bytes = 0;

  constructor(options: PendingDeadLettersOptions) {
    this.#options = options;
  }

  /** Events of dead letters that are not stored yet. */
  get events(): number {
    return this.#events;
  }

  /** Resolves when all that was started has ended. */
  async idle(): Promise<void> {
    await Promise.all(this.#open);
  }

  /** Resolves when no more waits than may be in hand at all. */
  async room(): Promise<void> {
    while (this.#bytes >= this.#options.budget.bytesMax) await Promise.race(this.#open);
  }

  /** One event; so many bytes of it are in memory for its dead letter. */
  add(ref: EventRef, entryBytes: number, reason: EndingReason, appended: Promise<void>): void {
    const { ledger } = this.#options;
    this.#add(1, entryBytes, appended, (ending) => ledger.settleEvent(ref, ending, whyOf(ending, reason)));
  }

  /** All events of a record, which is in hand with its bytes. */
  addRecord(record: RecordInHand, events: number, reason: EndingReason, appended: Promise<void>): void {
    const { ledger } = this.#options;
    this.#add(events, 0, appended, (ending) => ledger.settle(record, events, ending, whyOf(ending, reason)));
  }

  #add(events: number, entryBytes: number, appended: Promise<void>, settle: (ending: Ending) => void): void {
    const bytes = entryBytes + DEAD_LETTER_IN_HAND_BYTES;
    const permit = this.#options.budget.take(bytes);
    this.#events += events;
    this.#bytes += bytes;
    const done = appended.then(
      () => 'dead_lettered' as const,
      () => 'abandoned' as const,
    );
    const settled = done.then((ending) => {
      permit[Symbol.dispose]();
      this.#events -= events;
      this.#bytes -= bytes;
      this.#open.delete(settled);
      settle(ending);
    });
    this.#open.add(settled);
  }
}

function whyOf(ending: Ending, reason: EndingReason): EndingReason {
  return ending === 'abandoned' ? 'shutdown' : reason;
}
