// Erases single dead letters from the log's file, and overwrites what they took. The last one only gives way to an
// empty mark (dead-letter.ts): offsets go on after it.

import type { DatabaseSync } from 'node:sqlite';
import { headedDeadLetter } from '../../headers.ts';
import { replayMark } from '../../dead-letter.ts';
import { encodeHeaders } from './packed-records.ts';

/** In one transaction. Returns how many there were of these offsets. `costOf`: what so many bytes count. */
export function eraseDeadLetters(
  database: DatabaseSync,
  offsets: readonly number[],
  costOf: (bytes: number) => number,
): number {
  const mark = headedDeadLetter(replayMark([]));
  const headers = encodeHeaders(mark.headers);
  database.exec('PRAGMA secure_delete = ON');
  database.exec('BEGIN IMMEDIATE');
  try {
    const last = Number(database.prepare('SELECT max(offset) AS last FROM dead_letters').get()?.['last'] ?? -1);
    const overwrite = database.prepare('UPDATE dead_letters SET headers = ?, value = ? WHERE offset = ?');
    const charge = database.prepare('UPDATE dead_letter_costs SET cost = ? WHERE offset = ?');
    const removals = ['dead_letters', 'dead_letter_costs'].map((table) =>
      database.prepare(`DELETE FROM ${table} WHERE offset = ?`),
    );
    let erased = 0;
    for (const offset of offsets) {
      if (offset === last) {
        erased += Number(overwrite.run(headers, mark.value, offset).changes);
        charge.run(costOf(headers.length + mark.value.length), offset);
        continue;
      }
      const [removed] = removals.map((removal) => Number(removal.run(offset).changes));
      erased += removed ?? 0;
    }
    database.exec('COMMIT');
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    return erased;
  } finally {
    if (database.isTransaction) database.exec('ROLLBACK');
  }
}
