// The number that was given to the last document. Where it is damaged and too low, documents that come would get the
// numbers of those that are there, and end with them by age; so it is compared with the blocks when the store opens.

import type { DatabaseSync } from 'node:sqlite';
import { isDamaged } from '#shared/sqlite/database.ts';
import { BLOCK_COLUMNS, blockOf, DamagedBlock } from './block-file.ts';

const COUNTER = "SELECT value FROM counters WHERE name = 'row'";

/** Highest number of a document in blocks whose rows are whole; -1 where there is none. */
function lastRowInBlocks(database: DatabaseSync): bigint {
  const statement = database.prepare(`SELECT ${BLOCK_COLUMNS} FROM blocks b ORDER BY b.row_max DESC`);
  statement.setReadBigInts(true);
  for (const row of statement.iterate())
    try {
      return blockOf(row).row.max;
    } catch (error) {
      if (!(error instanceof DamagedBlock)) throw error;
    }
  return -1n;
}

/** What is wrong with the counter; null where nothing is. */
export function counterMistake(database: DatabaseSync, lastRow = lastRowInBlocks(database)): string | null {
  const statement = database.prepare(COUNTER);
  statement.setReadBigInts(true);
  const value = statement.get()?.['value'];
  if (typeof value !== 'bigint') return 'The number of the last document is missing';
  if (value >= 0n && value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= lastRow) return null;
  return `The number of the last document is ${value}, and there is one with number ${lastRow}`;
}

/** Before anything is written. */
export function mendCounter(database: DatabaseSync, tell: (message: string) => void): void {
  try {
    const lastRow = lastRowInBlocks(database);
    const mistake = counterMistake(database, lastRow);
    if (mistake === null) return;
    // Another process may have been first, and have gone on from there.
    const mended = database.prepare(
      "INSERT INTO counters VALUES ('row', ?1) ON CONFLICT DO UPDATE SET value = ?1 " +
        `WHERE value < ?1 OR value NOT BETWEEN 0 AND ${Number.MAX_SAFE_INTEGER}`,
    );
    mended.run(lastRow < 0n ? 0n : lastRow);
    tell(`A counter of the embedded store was damaged and is mended: ${mistake}`);
  } catch (error) {
    // Whoever writes hears of it.
    if (!isDamaged(error)) throw error;
  }
}
