// Whether all of the store is whole: each block has what its checksums say, its documents can be read, lie within the
// bounds by which searches find them, and have their names; the counts of all tables agree, and so do the numbers that
// documents get and end by; and so is the file as a whole, with its free pages.

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { reasonOf } from '#shared/errors.ts';
import { clampInstant, formatInstant } from '../../instant.ts';
import { parseExactJson } from '../../exact-json.ts';
import type { BlockReader } from '../blocks/decode-block.ts';
import { type Block, BLOCK_COLUMNS, BlockFile, blockOf } from '../tables/block-file.ts';
import { namesLeft } from '../tables/document-names.ts';
import { counterMistake } from '../tables/row-counter.ts';

export interface VerifyStep {
  /** Goes on behind this block. */
  readonly after: number;
  /** Of the last document that there was at the beginning: blocks that came since are left out. */
  readonly rowMax: number;
}

export interface Damage {
  readonly block: number;
  /** What is wrong with it. */
  readonly what: string;
  /** 0 where nobody knows. */
  readonly documents: number;
  /** As the list of blocks has it, which may be wrong itself. */
  readonly times: readonly [first: string, last: string];
}

export interface Verified {
  /** Where the next step goes on; null where nothing is left. */
  readonly next: number | null;
  readonly blocks: number;
  readonly documents: number;
  readonly damage: readonly Damage[];
}

/** Of documents that one step reads, in characters. */
const STEP_BYTES = 8 * 1024 * 1024;
const TABLES = ['blocks', 'names', 'origins', 'counters', 'age_marks', 'passed_time'];
const PAGE_MISTAKES_MAX = 20;

export class Verification {
  readonly #database: DatabaseSync;
  readonly #file: BlockFile;
  readonly #range: StatementSync;

  constructor(database: DatabaseSync, file: BlockFile) {
    this.#database = database;
    this.#file = file;
    this.#range = database.prepare('SELECT last FROM names WHERE batch = ? AND first <= ? ORDER BY first DESC LIMIT 1');
  }

  verify({ after, rowMax }: VerifyStep): Verified {
    const statement = this.#database.prepare(`SELECT ${BLOCK_COLUMNS} FROM blocks b WHERE b.id > ? ORDER BY b.id`);
    statement.setReadBigInts(true);
    const damage: Damage[] = [];
    let [blocks, documents, bytes, next] = [0, 0, 0, after];
    for (const row of statement.iterate(after)) {
      if (bytes > STEP_BYTES) return { next, blocks, documents, damage };
      next = Number(row['id']);
      const block = sealedOf(row);
      // No number of a row is believed before its seal: by a damaged one, a block would be left out.
      if (typeof block !== 'string' && block.row.min > rowMax) continue;
      const own = typeof block === 'string' ? this.#file.countOf(next) : block.documents;
      blocks += 1;
      documents += own;
      bytes += typeof block === 'string' ? 0 : block.bytes;
      const what = typeof block === 'string' ? block : this.#mistakeIn(block);
      if (what !== null) damage.push({ block: next, what, documents: own, times: timesOf(row) });
    }
    return { next: null, blocks, documents, damage };
  }

  #mistakeIn(block: Block): string | null {
    try {
      this.#file.filter(block);
      const reader = this.#file.open(block);
      for (let at = 0; at < reader.documents; at++) {
        const document = parseExactJson(reader.text(at));
        if (typeof document !== 'object' || document === null) return `document ${reader.id(at)} is no JSON object`;
      }
      return boundsMistake(block, reader) ?? this.#namesMistake(reader);
    } catch (error) {
      return reasonOf(error);
    }
  }

  #namesMistake(reader: BlockReader): string | null {
    let [listed, missing] = [0, 0];
    for (const { key, first, last } of reader.runs()) {
      listed += last - first + 1;
      // One range may have several of them, and several ranges one.
      for (let index = last; index >= first;) {
        const range = this.#range.get(key, index);
        if (range === undefined || Number(range['last']) < index) {
          missing += 1;
          index -= 1;
        } else index = this.#firstOf(key, index) - 1;
      }
    }
    if (listed !== reader.documents) return `it has ${listed} names for ${reader.documents} documents`;
    return missing === 0 ? null : `${missing} of its documents have no name, so a repeat of them would be stored again`;
  }

  #firstOf(key: Uint8Array | string, index: number): number {
    const sql = 'SELECT max(first) AS first FROM names WHERE batch = ? AND first <= ?';
    return Number(this.#database.prepare(sql).get(key, index)?.['first']);
  }
}

/** What is wrong with its row as a string. */
function sealedOf(row: Record<string, unknown>): Block | string {
  try {
    return blockOf(row);
  } catch (error) {
    return reasonOf(error);
  }
}

/** By these, searches choose the blocks that they look at. */
function boundsMistake(block: Block, reader: BlockReader): string | null {
  const { known } = reader;
  for (let at = 0; at < reader.documents; at++) {
    const time = reader.timeOf(at);
    const values = {
      row: BigInt(known.row[at] ?? 0),
      time,
      sequence: BigInt(known.sequence[at] ?? 0),
      arrival: reader.createdOf(at) ?? time,
      ingested: BigInt(known.ingested[at] ?? 0),
    };
    for (const name of ['row', 'time', 'sequence', 'arrival', 'ingested'] as const) {
      const { min, max } = block[name];
      if (values[name] < min || values[name] > max)
        return `document ${reader.id(at)} is not within its bounds (${name})`;
    }
  }
  return null;
}

/** `oldDocuments`: of an earlier version, which have no names apart from themselves. */
export function countMistakes(
  database: DatabaseSync,
  oldDocuments: number,
): { readonly damage: readonly string[]; readonly remarks: readonly string[] } {
  const numberOf = (sql: string): number => Number(database.prepare(sql).get()?.['n'] ?? 0);
  const damage = pageMistakes(database);
  const remarks: string[] = [];
  if (damage.length > 0) return { damage, remarks };
  const documents = documentsIn(database);
  const names = numberOf('SELECT sum(last - first + 1) AS n FROM names');
  const counted = numberOf('SELECT sum(documents) AS n FROM origins');
  if (names < documents)
    damage.push(`There are ${documents} documents and ${names} names: some are there twice, or would be stored again`);
  const left = namesLeft(database);
  const unaccounted = names - documents - Math.max(0, left ?? names);
  if (unaccounted > 0)
    damage.push(`${unaccounted} names have no document, and never had one: what comes under these is not stored`);
  else if (names > documents)
    remarks.push(
      `${names - documents} names have no document, as those of damaged blocks that were deleted: ` +
        'a repeat of these is not stored',
    );
  if (counted < documents + oldDocuments)
    damage.push(`${documents + oldDocuments - counted} documents are missing in the counts by container`);
  if (counted > documents + oldDocuments)
    remarks.push(`The counts by container have ${counted - documents - oldDocuments} documents too many`);
  damage.push(...numberMistakes(database), ...fileMistakes(database, oldDocuments));
  if (oldDocuments > 0) remarks.push(`${oldDocuments} documents of an earlier version were not looked at`);
  return { damage, remarks };
}

/** By these, documents get their numbers, and end by age. */
function numberMistakes(database: DatabaseSync): string[] {
  const mistake = counterMistake(database);
  if (mistake !== null) return [mistake];
  if (!isTable(database, 'age_marks')) return [];
  const wrong = database.prepare(`SELECT count(*) AS n FROM age_marks a WHERE of = 'documents' AND (
    last NOT BETWEEN 0 AND (SELECT value FROM counters WHERE name = 'row') OR passed < 0 OR
    last > (SELECT min(last) FROM age_marks b WHERE b.of = a.of AND b.passed > a.passed))`);
  const count = Number(wrong.get()?.['n']);
  return count === 0 ? [] : [`${count} of the notes of how old documents are do not agree with the others`];
}

/** The list of free pages, too: by a damaged one, all writes may fail, or documents may be written over. */
function fileMistakes(database: DatabaseSync, oldDocuments: number): string[] {
  // Without documents the full-text index of an earlier version is on its way out, a part at a time.
  const isPassed = (text: string): boolean => text === 'ok' || (oldDocuments === 0 && /\bfts5\b.*"words"/i.test(text));
  try {
    const rows = database.prepare(`PRAGMA quick_check(${PAGE_MISTAKES_MAX})`).all();
    return rows
      .map((row) => String(row['quick_check']))
      .filter((text) => !isPassed(text))
      .map((text) => `The file: ${text}`);
  } catch (error) {
    return [`The file: ${reasonOf(error)}`];
  }
}

const isTable = (database: DatabaseSync, name: string): boolean =>
  database.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?").get(name) !== undefined;

function documentsIn(database: DatabaseSync): number {
  const file = new BlockFile(database);
  const statement = database.prepare(`SELECT ${BLOCK_COLUMNS} FROM blocks b`);
  statement.setReadBigInts(true);
  let documents = 0;
  for (const row of statement.iterate()) {
    const block = sealedOf(row);
    documents += typeof block === 'string' ? file.countOf(Number(row['id'])) : block.documents;
  }
  return documents;
}

/** Of all tables but those of the parts, which were read whole. */
function pageMistakes(database: DatabaseSync): string[] {
  return TABLES.filter((table) => isTable(database, table)).flatMap((table) => {
    try {
      const rows = database.prepare(`PRAGMA integrity_check('${table}')`).all();
      const texts = rows.map((row) => String(row['integrity_check'])).filter((text) => text !== 'ok');
      return texts.slice(0, PAGE_MISTAKES_MAX).map((text) => `The table ${table}: ${text}`);
    } catch (error) {
      return [`The table ${table}: ${reasonOf(error)}`];
    }
  });
}

function timesOf(row: Record<string, unknown>): [string, string] {
  const text = (value: unknown): string => (typeof value === 'bigint' ? formatInstant(clampInstant(value)) : '');
  return [text(row['time_min']), text(row['time_max'])];
}
