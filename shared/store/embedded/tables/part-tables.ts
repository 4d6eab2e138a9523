// The parts of blocks in SQLite: all but the small rows of `blocks`, and so nearly all pages of the file. New ones go
// behind the last page of their table. Where that page is damaged, none could be added any more: the blocks from then
// on have a table of their own.
//
//   parts     of all blocks      parts_7     of blocks from number 7 on, and so forth
//
//   id = block × 1024 + n        data: block-file.ts
//
// For whoever has a transaction open.

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { isDamaged } from '#shared/sqlite/database.ts';

const tableSql = (name: string): string =>
  `CREATE TABLE IF NOT EXISTS ${name} (id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;`;

export const PARTS_TABLE = tableSql('parts');
const PARTS_MAX = 1024;

/** Nothing can be added to the table any more; `cause`: what SQLite said. */
export class DamagedEnd extends Error {
  readonly errcode: unknown;

  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.errcode = typeof cause === 'object' && cause !== null && 'errcode' in cause ? cause.errcode : undefined;
  }
}

interface Table {
  /** The first of its blocks. */
  readonly first: number;
  readonly select: StatementSync;
  readonly bytes: StatementSync;
  readonly insert: StatementSync;
  readonly remove: StatementSync;
}

export class PartTables {
  readonly #database: DatabaseSync;
  readonly #version: StatementSync;
  #listed: unknown = null;
  /** The last one first. */
  #tables: readonly Table[] = [];

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#version = database.prepare('PRAGMA schema_version');
  }

  read(block: number, n: number): Uint8Array | null {
    const data = this.#tableOf(block).select.get(block * PARTS_MAX + n)?.['data'];
    return data instanceof Uint8Array ? data : null;
  }

  /** What all parts of a block take. */
  bytesOf(block: number): number {
    return Number(this.#tableOf(block).bytes.get(block * PARTS_MAX, (block + 1) * PARTS_MAX)?.['bytes'] ?? 0);
  }

  /** Throws DamagedEnd. */
  add(block: number, n: number, data: Uint8Array): void {
    const { insert } = this.#tableOf(block);
    try {
      insert.run(block * PARTS_MAX + n, data);
    } catch (error) {
      throw isDamaged(error) ? new DamagedEnd(error) : error;
    }
  }

  remove(block: number): void {
    this.#tableOf(block).remove.run(block * PARTS_MAX, (block + 1) * PARTS_MAX);
  }

  /** From the next block on. */
  beginAnother(): void {
    const last = this.#database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'blocks'").get()?.['seq'];
    this.#database.exec(tableSql(`parts_${Number(last ?? 0) + 1}`));
  }

  #tableOf(block: number): Table {
    const version = this.#version.get()?.['schema_version'];
    if (version !== this.#listed) {
      this.#tables = this.#list();
      this.#listed = version;
    }
    const table = this.#tables.find(({ first }) => block >= first);
    if (table === undefined) throw new Error('the store has no table of parts');
    return table;
  }

  #list(): Table[] {
    const found = this.#database
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND (name = 'parts' OR name GLOB 'parts_[0-9]*')")
      .all();
    return found
      .map((row) => {
        const name = String(row['name']);
        return {
          first: name === 'parts' ? 0 : Number(name.slice('parts_'.length)),
          select: this.#database.prepare(`SELECT data FROM ${name} WHERE id = ?`),
          bytes: this.#database.prepare(`SELECT sum(length(data)) AS bytes FROM ${name} WHERE id >= ? AND id < ?`),
          insert: this.#database.prepare(`INSERT INTO ${name} VALUES (?, ?)`),
          remove: this.#database.prepare(`DELETE FROM ${name} WHERE id >= ? AND id < ?`),
        };
      })
      .toSorted((a, b) => b.first - a.first);
  }
}
