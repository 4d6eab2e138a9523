// The combinations of data stream, container, service, pod and tag that documents come from, each a row of `origins`.
// Senders choose these names, so a tenant has only so many: a document that brings one more than that has its names
// among its attributes instead, and lies under a row without names. A row goes with its last document.
//
// Guarantees: what was written stays found under its names; rows and memory are bounded whatever senders say; whatever
// another process writes to the same file is seen before the next row is used. The table is only counted after another
// process wrote or a transaction was undone.

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { IndexedFields } from './indexed-fields.ts';

export interface SourceNamesOptions {
  /** Combinations of one tenant. */
  readonly namesMax: number;
  /** A tenant has as many as it may; called once for each. */
  full(tenant: string): void;
}

/** Of rows whose keys are kept in memory; beyond it they are looked up again. */
const CACHED_MAX = 10_000;
const CACHED_LENGTH_MAX = 4 * 1024 * 1024;
/**
 * Tenants that are counted each by its name: those of the tenants file, or what a trusted one says. The others count as
 * one.
 */
const TENANTS_MAX = 1000;
const UNUSED = 'documents <= 0';
const COLUMNS = 'stream, container_id, container_name, service, pod, tag';
const HAS_NAMES = "(container_id <> '' OR container_name <> '' OR service <> '' OR pod <> '' OR tag <> '')";

type Names = Pick<IndexedFields, 'containerId' | 'containerName' | 'service' | 'pod' | 'tag' | 'tenant'>;

export class SourceNames {
  readonly #options: SourceNamesOptions;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #cache = new Map<string, number>();
  /**
   * The key of each row in the cache: one, even where SQLite takes two names for the same (halves of surrogate pairs).
   */
  readonly #keys = new Map<number, string>();
  #cachedLength = 0;
  /** Where the last document came from. */
  #last: { readonly stream: string; readonly names: Names; readonly row: number } | null = null;
  /** Rows of each tenant; null where they must be counted. */
  #counts: Map<string, number> | null = null;
  readonly #told = new Set<string>();
  #version: unknown = null;

  constructor(database: DatabaseSync, options: SourceNamesOptions) {
    this.#options = options;
    this.#statements = prepare(database);
    // An early version removed none.
    const rows = Number(database.prepare('SELECT count(*) AS n FROM origins').get()?.['n']);
    if (rows > options.namesMax) database.exec(`DELETE FROM origins WHERE ${UNUSED}`);
  }

  /** To be called at the beginning of each transaction. */
  startTransaction(): void {
    const version = this.#statements.version.get()?.['data_version'];
    if (version !== this.#version) this.forget();
    this.#version = version;
  }

  /** What is known of the table may be wrong: it was changed by another process, or a transaction was undone. */
  forget(): void {
    this.#clearCache();
    this.#counts = null;
  }

  /** The row of these names; null where there is none yet. */
  find(stream: string, names: Names): number | null {
    // Nearly always a document comes from where the one before came from, and a key costs more than to compare.
    const last = this.#last;
    if (last !== null && last.stream === stream && areEqual(last.names, names)) return last.row;
    const columns = columnsOf(stream, names);
    const key = keyOf(columns);
    const cached = this.#cache.get(key);
    if (cached !== undefined) {
      const { containerId, containerName, service, pod, tag, tenant } = names;
      this.#last = { stream, names: { containerId, containerName, service, pod, tag, tenant }, row: cached };
      return cached;
    }
    const found = this.#statements.find.get(...columns)?.['rowid'];
    if (found === undefined) return null;
    this.#keep(key, Number(found));
    return Number(found);
  }

  /**
   * Makes the row of these names, of which `find` knows none; null where the tenant may have no more. Only for a
   * document that will be inserted and counted: a row that never had any would stay.
   */
  make(stream: string, names: Names): number | null {
    const columns = columnsOf(stream, names);
    const row = this.#insert(columns, names.tenant.toWellFormed());
    if (row !== null) this.#keep(keyOf(columns), row);
    return row;
  }

  /** The row of documents without names. */
  rowWithoutNames(stream: string): number {
    const nothing = { containerId: '', containerName: '', service: '', pod: '', tag: '', tenant: '' };
    const row = this.find(stream, nothing) ?? this.make(stream, nothing);
    if (row === null) throw new Error('a row without names is always made');
    return row;
  }

  /** So many documents more of each row, or fewer; a row goes with its last one. */
  count(documents: ReadonlyMap<number, number>): void {
    for (const [row, change] of documents) {
      this.#statements.count.run(change, row);
      if (change >= 0) continue;
      for (const { tenant, named } of this.#statements.removeUnused.all(row)) {
        this.#drop(row);
        if (named === 1) this.#countDown(String(tenant));
      }
    }
  }

  #insert(columns: readonly string[], tenant: string): number | null {
    const hasNames = columns.slice(1).some((name) => name !== '');
    const counts = this.#countedRows();
    const owner = counts.has(tenant) || counts.size < TENANTS_MAX ? tenant : '';
    const count = counts.get(owner) ?? 0;
    if (hasNames && count >= this.#options.namesMax) {
      if (!this.#told.has(owner)) this.#options.full(owner);
      this.#told.add(owner);
      return null;
    }
    const { lastInsertRowid } = this.#statements.insert.run(...columns, owner);
    if (hasNames) counts.set(owner, count + 1);
    return Number(lastInsertRowid);
  }

  /** One row of this tenant fewer; what was not counted yet will be counted without it. */
  #countDown(tenant: string): void {
    const count = this.#counts?.get(tenant) ?? 0;
    if (count > 1) this.#counts?.set(tenant, count - 1);
    else this.#counts?.delete(tenant);
  }

  #countedRows(): Map<string, number> {
    this.#counts ??= new Map(this.#statements.counts.all().map((row) => [String(row['tenant']), Number(row['n'])]));
    return this.#counts;
  }

  #keep(key: string, row: number): void {
    this.#drop(row);
    if (this.#cache.size >= CACHED_MAX || this.#cachedLength + key.length > CACHED_LENGTH_MAX) this.#clearCache();
    this.#cache.set(key, row);
    this.#keys.set(row, key);
    this.#cachedLength += key.length;
  }

  #drop(row: number): void {
    this.#last = null;
    const key = this.#keys.get(row);
    if (key === undefined) return;
    this.#keys.delete(row);
    this.#cache.delete(key);
    this.#cachedLength -= key.length;
  }

  #clearCache(): void {
    this.#last = null;
    this.#cache.clear();
    this.#keys.clear();
    this.#cachedLength = 0;
  }
}

/** `tell`: that a tenant has as many as it may. */
export function namesOptions({
  namesMax,
  tell,
}: {
  readonly namesMax: number;
  tell?(message: string): void;
}): SourceNamesOptions {
  return {
    namesMax,
    full(tenant) {
      const whose = tenant === '' ? 'Senders of no tenant have' : `The tenant ${JSON.stringify(tenant)} has`;
      tell?.(
        `${whose} brought ${namesMax} combinations of container, service, pod and tag, as many as ` +
          'names.max_per_tenant lets it have. Events under further ones are kept with these names among their ' +
          'attributes, until documents under others have ended by age',
      );
    },
  };
}

function columnsOf(stream: string, names: Names): string[] {
  return [stream, names.containerId, names.containerName, names.service, names.pod, names.tag];
}

/** The columns, and so the row, are the same. */
function areEqual(a: Names, b: Names): boolean {
  return (
    a.containerId === b.containerId &&
    a.containerName === b.containerName &&
    a.service === b.service &&
    a.pod === b.pod &&
    a.tag === b.tag
  );
}

/** Names may have any character in them, so none can stand between them. */
function keyOf(columns: readonly string[]): string {
  return JSON.stringify(columns);
}

function prepare(
  database: DatabaseSync,
): Record<'find' | 'insert' | 'count' | 'counts' | 'removeUnused' | 'version', StatementSync> {
  return {
    find: database.prepare(`SELECT rowid FROM origins WHERE (${COLUMNS}) = (?, ?, ?, ?, ?, ?)`),
    insert: database.prepare(`INSERT INTO origins (${COLUMNS}, tenant) VALUES (?, ?, ?, ?, ?, ?, ?)`),
    count: database.prepare('UPDATE origins SET documents = documents + ? WHERE rowid = ?'),
    counts: database.prepare(`SELECT tenant, count(*) AS n FROM origins WHERE ${HAS_NAMES} GROUP BY tenant`),
    removeUnused: database.prepare(
      `DELETE FROM origins WHERE rowid = ? AND ${UNUSED} RETURNING tenant, ${HAS_NAMES} AS named`,
    ),
    version: database.prepare('PRAGMA data_version'),
  };
}
