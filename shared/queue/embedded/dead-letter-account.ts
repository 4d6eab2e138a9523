// Keeps the budget of the dead letters (dead-letter-budget.ts) in the log's file. Beside each dead letter stand its
// owner and its cost, so that it is counted off when its retention ends, also after a restart.
//
// Guarantees: what the tables say is what is counted. Dead letters that an earlier version wrote count as nobody's.

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { costOf, DeadLetterBudget, type DeadLetterCharge, OWNER_UNKNOWN } from './dead-letter-budget.ts';
import { eraseDeadLetters } from './log/dead-letter-erasure.ts';
import type { Stored } from './log/packed-records.ts';
import type { DeadLetterRefusal } from '../queue.ts';

/** Why dead letters were not written: their budget says so, or nothing can be written. */
export type DeadLettersRefused = { readonly budget: DeadLetterRefusal } | { readonly space: string };

export interface Admitted {
  readonly records: readonly Stored[];
  readonly owners: readonly number[];
  /** For each append, why it was refused. */
  readonly refused: readonly (DeadLettersRefused | null)[];
  /** How many times all had been counted anew before. */
  readonly counts: number;
}

/** What the dead letters take, and senders of whom no more is to be taken (see dead-letter-budget.ts). */
export interface DeadLetterFigures {
  readonly bytesStored: number;
  readonly fullSenders: readonly number[];
  /** No more is to be taken of any that has no more than a name which it gave itself. */
  readonly isClaimedFull: boolean;
}

export class DeadLetterAccount {
  readonly #database: DatabaseSync;
  readonly #budget: DeadLetterBudget;
  /** Null where the log is only read. */
  readonly #statements: Readonly<Record<'insert' | 'sums' | 'sumsBelow' | 'deleteBelow', StatementSync>> | null;
  #first = 0;
  #counts = 0;

  constructor(
    database: DatabaseSync,
    { readOnly, deadLettersBytesMax }: { readonly readOnly: boolean; readonly deadLettersBytesMax: number },
  ) {
    this.#database = database;
    this.#budget = new DeadLetterBudget(deadLettersBytesMax);
    if (readOnly) {
      this.#statements = null;
      return;
    }
    prepareCosts(database);
    const sums = 'SELECT owner, sum(cost) AS cost FROM dead_letter_costs';
    this.#statements = {
      insert: database.prepare('INSERT INTO dead_letter_costs (offset, owner, cost) VALUES (?, ?, ?)'),
      sums: database.prepare(`${sums} GROUP BY owner`),
      sumsBelow: database.prepare(`${sums} WHERE offset < ? GROUP BY owner`),
      deleteBelow: database.prepare('DELETE FROM dead_letter_costs WHERE offset < ?'),
    };
    this.reload();
  }

  get bytesStored(): number {
    return this.#budget.bytesStored;
  }

  figures(): DeadLetterFigures {
    const { bytesStored } = this.#budget;
    return { bytesStored, fullSenders: this.#budget.fullSenders(), isClaimedFull: this.#budget.isClaimedFull() };
  }

  /**
   * Which of the appends may be stored. They count from here on: where they are not written after all, `withdraw` them.
   */
  admitted(records: readonly Stored[], appends: readonly DeadLetterCharge[]): Admitted {
    const taken: Stored[] = [];
    const owners: number[] = [];
    let at = 0;
    const refused = appends.map((append): DeadLettersRefused | null => {
      const own = records.slice(at, at + append.owners.length);
      at += own.length;
      const costs = own.map(costOfRecord);
      const budget = this.#budget.refusal(append, costs);
      if (budget !== null) return { budget };
      for (const [i, cost] of costs.entries()) this.#budget.add(append.owners[i] ?? OWNER_UNKNOWN, cost);
      taken.push(...own);
      owners.push(...append.owners);
      return null;
    });
    return { records: taken, owners, refused, counts: this.#counts };
  }

  /** They were not written. Where all was counted anew since, they do not count any more. */
  withdraw({ records, owners, counts }: Admitted): void {
    if (counts !== this.#counts) return;
    for (const [i, record] of records.entries()) this.#budget.add(owners[i] ?? OWNER_UNKNOWN, -costOfRecord(record));
  }

  /** In the transaction that writes them, from the offset `first` on. */
  append(first: number, { records, owners }: Admitted): void {
    for (const [i, record] of records.entries())
      this.#statements?.insert.run(first + i, owners[i] ?? OWNER_UNKNOWN, costOfRecord(record));
  }

  /** Dead letters below this offset were removed; in the same transaction. */
  removedBelow(first: number): void {
    if (first <= this.#first) return;
    this.#first = first;
    for (const row of this.#statements?.sumsBelow.all(first) ?? [])
      this.#budget.add(Number(row['owner']), -Number(row['cost']));
    this.#statements?.deleteBelow.run(first);
  }

  /** Erases these dead letters; returns how many there were. */
  erase(offsets: readonly number[]): number {
    const erased = eraseDeadLetters(this.#database, offsets, costOf);
    this.reload();
    return erased;
  }

  /** Counts anew: after a transaction was undone. */
  reload(): void {
    this.#first = 0;
    this.#counts++;
    this.#budget.clear();
    for (const row of this.#statements?.sums.all() ?? []) this.#budget.add(Number(row['owner']), Number(row['cost']));
  }
}

function costOfRecord({ headers, value }: Stored): number {
  return costOf(headers.length + value.length);
}

/** Nothing is written where all is as it was left: it must be possible on a full device. */
function prepareCosts(database: DatabaseSync): void {
  database.exec(`CREATE TABLE IF NOT EXISTS dead_letter_costs (
    offset INTEGER PRIMARY KEY, owner INTEGER NOT NULL, cost INTEGER NOT NULL) STRICT`);
  const boundsOf = (table: string): string =>
    JSON.stringify(database.prepare(`SELECT min(offset) AS first, max(offset) AS last FROM ${table}`).get());
  if (boundsOf('dead_letters') === boundsOf('dead_letter_costs')) return;
  // An earlier version has written, or removed, without counting.
  database.function('cost_of', (bytes: unknown) => costOf(Number(bytes)));
  database.exec(`
    BEGIN IMMEDIATE;
    DELETE FROM dead_letter_costs WHERE offset NOT IN (SELECT offset FROM dead_letters);
    INSERT OR IGNORE INTO dead_letter_costs
      SELECT offset, ${OWNER_UNKNOWN}, cost_of(length(headers) + length(value)) FROM dead_letters;
    COMMIT;
  `);
}
