// What a log may remove: records that every group has consumed and that are past their age, or, where space is needed,
// whatever every group has consumed. Dead letters go by age only. Age is what has passed since a record came, whatever
// the wall clock says (passed-time.ts).
//
// Guarantees: nothing that a group has not consumed is removed; what is removed and what is counted off go in one
// transaction.

import type { DatabaseSync } from 'node:sqlite';
import { AgeMarks } from '#shared/sqlite/age-marks.ts';
import { type Moment, PassedTime } from '#shared/sqlite/passed-time.ts';
import type { DeadLetterAccount } from './dead-letter-account.ts';
import type { GroupOffsets } from './group-offsets.ts';
import type { LogTable, Topic } from './log/log-table.ts';

// Kafka's topic of dead letters is set up with the same age.
const DEAD_LETTERS_KEPT_MS = 7 * 86_400_000;

export interface LogRetentionOptions {
  readonly readOnly: boolean;
  /** How long what every group has consumed is kept. */
  readonly retentionMs: number;
  readonly tables: Readonly<Record<Topic, LogTable>>;
  readonly groups: GroupOffsets;
  readonly deadLetters: DeadLetterAccount;
  transact(work: () => void): void;
  /** Tells what an operator should know. */
  tell(message: string): void;
}

export class LogRetention {
  readonly #options: LogRetentionOptions;
  /** Null where the log is only read. */
  readonly #ages: (Record<Topic, AgeMarks> & { readonly time: PassedTime }) | null;
  #passedMs = 0;

  constructor(database: DatabaseSync, options: LogRetentionOptions) {
    this.#options = options;
    this.#ages = options.readOnly
      ? null
      : {
          logs: new AgeMarks(database, 'logs', options.retentionMs),
          'dead-letters': new AgeMarks(database, 'dead-letters', DEAD_LETTERS_KEPT_MS),
          time: new PassedTime(database, options.tell),
        };
  }

  /** The time that has passed, as of the last `note`. */
  get passedMs(): number {
    return this.#passedMs;
  }

  /** Writes down what time has passed; in a transaction. */
  keepTime(): void {
    this.#ages?.time.keep();
  }

  /**
   * Removes a bounded part of what may go: with `keepByAge` what is past its age, else whatever every group has
   * consumed. Returns how many records.
   */
  remove({ keepByAge }: { keepByAge: boolean }): number {
    const ages = this.#ages;
    if (ages === null) return 0;
    const { logs, 'dead-letters': deadLetters } = this.#options.tables;
    let removed = 0;
    const remove = (): void => {
      const consumed = this.#options.groups.consumed({ needsRoom: !keepByAge });
      const isByAge = keepByAge && this.#options.retentionMs > 0;
      const before = isByAge ? Math.min(consumed, ages.logs.expired(this.#passedMs) + 1) : consumed;
      removed += logs.remove(before);
      removed += deadLetters.remove(ages['dead-letters'].expired(this.#passedMs) + 1);
      this.#options.deadLetters.removedBelow(deadLetters.first());
    };
    try {
      this.#options.transact(remove);
    } catch (error) {
      this.#options.deadLetters.reload();
      throw error;
    }
    return removed;
  }

  /** Notes what time has passed, where it is time to. */
  note(moment: Moment): void {
    const ages = this.#ages;
    if (ages === null) return;
    this.#passedMs = ages.time.at(moment);
    const { tables, retentionMs } = this.#options;
    for (const table of Object.values(tables)) table.see(moment);
    const due = (['logs', 'dead-letters'] as const).filter(
      (topic) => ages[topic].isDue(tables[topic].end() - 1, this.#passedMs) && (topic !== 'logs' || retentionMs > 0),
    );
    if (due.length === 0 && !ages.time.isToBeKept) return;
    this.#options.transact(() => {
      for (const topic of due) ages[topic].note(tables[topic].end() - 1, this.#passedMs);
      ages.time.keep();
      this.#options.groups.tend(this.#passedMs);
    });
  }
}
