// The tables of a log, and how SQLite is to keep them. What age-marks.ts and passed-time.ts need, they make themselves.
//
// A log of any earlier version is brought up to this one when it is opened to be written; an earlier version reads what
// this one wrote.

import type { DatabaseSync } from 'node:sqlite';
import { TimeRuns } from './time-runs.ts';

const FORMAT = 1;

// Larger than SQLite's 4 KiB: large records need fewer overflow pages, while a commit of one small record still writes
// little.
const PAGE_BYTES = 8192;

// One WAL of this size is copied into the file at a time; it is cut back when a burst made it larger.
const WAL_PAGES = 512;
const WAL_KEPT_BYTES = 8 * 1024 * 1024;

export function prepareLog(database: DatabaseSync): void {
  database.exec(`
    PRAGMA page_size = ${PAGE_BYTES};
    PRAGMA auto_vacuum = INCREMENTAL;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = ${WAL_PAGES};
    PRAGMA journal_size_limit = ${WAL_KEPT_BYTES};
    PRAGMA cache_size = -4096;
    CREATE TABLE IF NOT EXISTS logs (
      offset INTEGER PRIMARY KEY, time INTEGER NOT NULL, headers BLOB NOT NULL, value BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS dead_letters (
      offset INTEGER PRIMARY KEY, time INTEGER NOT NULL, headers BLOB NOT NULL, value BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS group_offsets (name TEXT PRIMARY KEY, next INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  `);
  TimeRuns.makeTable(database);
  // A log of an earlier version has groups that it does not know when they were seen.
  const column = database.prepare("SELECT 1 FROM pragma_table_info('group_offsets') WHERE name = ?");
  if (column.get('seen') === undefined) database.exec('ALTER TABLE group_offsets ADD COLUMN seen INTEGER');
  if (column.get('tries') === undefined) {
    database.exec('ALTER TABLE group_offsets ADD COLUMN tries INTEGER NOT NULL DEFAULT 0');
  }
  // Opening a log that is there writes nothing: it must be possible on a full device, or nothing could ever be taken
  // out of it.
  if (database.prepare('PRAGMA user_version').get()?.['user_version'] !== FORMAT) {
    database.exec(`PRAGMA user_version = ${FORMAT}`);
  }
}
