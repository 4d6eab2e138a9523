// The table of documents before version 4, a row each (old-rows.ts), and the name that it has while they become blocks.

import type { DatabaseSync } from 'node:sqlite';

export const OLD_TABLE = 'documents';
export const KEPT_TABLE = 'documents_before';

export function hasTable(database: DatabaseSync, name: string): boolean {
  return database.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?").get(name) !== undefined;
}
