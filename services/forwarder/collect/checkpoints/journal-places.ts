// How far each journal is read, in a table of its own: an older Sluice leaves it as it is, and reads no journal.

import type { DatabaseSync } from 'node:sqlite';

export interface JournalPlace {
  /** Which journal of this machine it is. */
  readonly journal: string;
  /** Entries up to it are done; empty: none is, and reading begins at the oldest one. */
  readonly cursor: string;
  /** When the journal was first read, ms since the epoch. */
  readonly firstMs: number;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS journal_place (journal TEXT PRIMARY KEY, cursor TEXT NOT NULL, first_ms INTEGER NOT NULL)
    STRICT, WITHOUT ROWID;
`;

export function prepareJournalPlaces(database: DatabaseSync): void {
  database.exec(SCHEMA);
}

/** Null for one that was never read. */
export function journalPlaceOf(database: DatabaseSync, journal: string): JournalPlace | null {
  const row = database.prepare('SELECT cursor, first_ms FROM journal_place WHERE journal = ?').get(journal);
  return row === undefined ? null : { journal, cursor: String(row['cursor']), firstMs: Number(row['first_ms']) };
}

/** In a transaction. */
export function putJournalPlaces(database: DatabaseSync, places: readonly JournalPlace[]): void {
  const put = database.prepare('INSERT OR REPLACE INTO journal_place (journal, cursor, first_ms) VALUES (?, ?, ?)');
  for (const { journal, cursor, firstMs } of places) put.run(journal, cursor, firstMs);
}
