// What is done to documents: written, merged, erased, ended by age, and taken over from an older store. Each is one
// transaction of whoever calls (database.ts), in which documents, their names and the counts of their origins change
// together. Throws as SQLite does, and is undone then.

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { BlockCache } from './block-cache.ts';
import { type Block, BLOCK_COLUMNS, BlockFile, blockOf } from './tables/block-file.ts';
import { BLOCK_BYTES, BLOCK_DOCUMENTS, blocksToMerge } from './tables/block-merge.ts';
import { namesOf, type NameRun, runsOf } from './blocks/document-ids.ts';
import type { BlockDocument } from './blocks/encode-block.ts';
import { ShapeCache, type TakenApart } from './blocks/shape-cache.ts';
import { timeGroups } from './blocks/time-groups.ts';
import { DocumentNames } from './tables/document-names.ts';
import { indexedFields, type IndexedFields } from './indexed-fields.ts';
import { OldRows, onOneLine } from './old-rows.ts';
import { withNamesAsAttributes } from './names-as-attributes.ts';
import type { SourceNames } from './source-names.ts';
import { TokenFields } from './token-fields.ts';

export interface Documents {
  /** JSON of all documents, one after another, with anything between. */
  readonly body: Uint8Array;
  readonly ids: readonly string[];
  /** Start and end of each document in the body. */
  readonly bounds: Uint32Array;
  /** Data stream of each document, as an index into `streamNames`. */
  readonly streams: Uint16Array;
  readonly streamNames: readonly string[];
}

export interface WriteResult {
  /** 201, 409 (the id is there), or 400 with a reason in `refused`. */
  readonly statuses: Uint16Array;
  readonly refused: readonly { readonly item: number; readonly reason: string }[];
  /** Documents whose names are among their attributes, for their tenant has as many as it may. */
  readonly unnamed: number;
}

/** What one step deletes at most, and one block more: no write is done meanwhile. */
const STEP_BYTES = 16 * 1024 * 1024;

/** Blocks that one bulk request makes because of its times. */
const TIME_GROUPS_MAX = 8;

interface Prepared {
  readonly item: number;
  readonly id: string;
  readonly stream: string;
  readonly text: string;
  readonly apart: TakenApart | undefined;
  readonly fields: IndexedFields;
}

interface PreparedDocuments {
  readonly taken: readonly Prepared[];
  readonly statuses: Uint16Array;
  readonly refused: readonly { readonly item: number; readonly reason: string }[];
}

export class DocumentWrites {
  readonly #database: DatabaseSync;
  readonly #sourceNames: SourceNames;
  readonly #names: DocumentNames;
  readonly #blocks: BlockFile;
  readonly #cache: BlockCache;
  readonly #oldRows: OldRows;
  readonly #shapes = new ShapeCache();
  readonly #fields = new TokenFields();
  readonly #lastRow: StatementSync;
  readonly #addRows: StatementSync;
  /** Blocks that cannot be read: they are not merged. */
  readonly #spared = new Set<number>();

  constructor(database: DatabaseSync, sourceNames: SourceNames, tell: (message: string) => void) {
    this.#database = database;
    this.#sourceNames = sourceNames;
    this.#names = new DocumentNames(database);
    this.#blocks = new BlockFile(database);
    this.#cache = new BlockCache(this.#blocks, { keptBytes: 0, tell });
    this.#oldRows = new OldRows(database);
    this.#lastRow = database.prepare("SELECT value FROM counters WHERE name = 'row'");
    this.#addRows = database.prepare("UPDATE counters SET value = value + ? WHERE name = 'row' RETURNING value");
  }

  get hasOldRows(): boolean {
    return this.#oldRows.areThere;
  }

  /** The number that was given to the last document. */
  lastRow(): number {
    return Number(this.#lastRow.get()?.['value'] ?? 0);
  }

  /** Before the transaction: what can be said of documents without the tables. */
  prepare(documents: Documents): PreparedDocuments {
    const { ids, bounds, streams, streamNames } = documents;
    const body = Buffer.from(documents.body.buffer, documents.body.byteOffset, documents.body.byteLength);
    const statuses = new Uint16Array(ids.length);
    const refused: { item: number; reason: string }[] = [];
    const taken: Prepared[] = [];
    for (const [item, id] of ids.entries()) {
      const given = body.toString('utf8', bounds[item * 2], bounds[item * 2 + 1]);
      const isPlain = given.startsWith('{') && given.endsWith('}') && !given.includes('\n');
      const apart = isPlain ? this.#shapes.take(given) : null;
      const fields = (apart && this.#fields.of(apart)) ?? indexedFields(given);
      if (typeof fields === 'string') {
        statuses[item] = 400;
        refused.push({ item, reason: fields });
        continue;
      }
      const text = isPlain ? given : onOneLine(given);
      taken.push({ item, id, stream: streamNames[streams[item] ?? 0] ?? '', text, apart: apart ?? undefined, fields });
    }
    return { taken, statuses, refused };
  }

  write({ taken, statuses, refused }: PreparedDocuments): WriteResult {
    const fresh = this.#fresh(taken, statuses);
    let unnamed = 0;
    let row = Number(this.#addRows.get(fresh.length)?.['value'] ?? 0) - fresh.length;
    const documents = fresh.map(({ id, stream, text, apart, fields }): BlockDocument => {
      const origin = this.#sourceNames.find(stream, fields) ?? this.#sourceNames.make(stream, fields);
      const { time, sequence, ingestedMs, created } = fields;
      row += 1;
      if (origin !== null) return { id, row, origin, time, sequence, ingestedMs, created, text, apart };
      unnamed += 1;
      const nowhere = this.#sourceNames.rowWithoutNames(stream);
      return { id, row, origin: nowhere, time, sequence, ingestedMs, created, text: withNamesAsAttributes(text) };
    });
    this.#sourceNames.count(changes(documents, 1));
    this.#insert(documents);
    return { statuses, refused, unnamed };
  }

  toMerge(afterRow: number, all: boolean): readonly Block[] | null {
    return blocksToMerge(this.#database, { afterRow, all, spared: this.#spared });
  }

  merge(blocks: readonly Block[]): void {
    const documents: BlockDocument[] = [];
    const merged: Block[] = [];
    for (const block of blocks) {
      // Another process may have been first.
      if (!this.#isThere(block)) continue;
      const read = this.#documentsOf(block);
      if (read === null) continue;
      documents.push(...read);
      merged.push(block);
    }
    if (merged.length < 2) return;
    for (const block of merged) this.#blocks.remove(block);
    this.#blocks.insert(documents.toSorted((a, b) => a.row - b.row));
  }

  /** Documents of blocks, and of rows, up to this number: about `limit`, and so many bytes. Returns how many. */
  expire(rowMax: number, limit: number): number {
    if (rowMax < 0) return 0;
    let deleted = this.#expireOldRows(rowMax, limit);
    let bytes = 0;
    const statement = this.#database.prepare(
      `SELECT ${BLOCK_COLUMNS} FROM blocks b WHERE b.row_max <= ? ORDER BY b.row_max LIMIT ?`,
    );
    statement.setReadBigInts(true);
    for (const row of statement.all(rowMax, limit)) {
      if (deleted >= limit || bytes > STEP_BYTES) break;
      deleted += Number(row['documents']);
      bytes += Number(row['bytes']);
      const block = this.#cache.confined(Number(row['id']), () => blockOf(row));
      if (block !== null) this.#forget(block);
      this.#blocks.remove({ id: Number(row['id']) });
    }
    return deleted;
  }

  /** `doomed`: numbers of its documents. Returns how many were erased. */
  erase(block: Block, doomed: () => readonly number[]): number {
    if (!this.#isThere(block)) return 0;
    const numbers = new Set(doomed());
    const documents = numbers.size === 0 ? null : this.#documentsOf(block);
    if (documents === null) return 0;
    const erased = documents.filter((_, i) => numbers.has(i));
    this.#blocks.remove(block);
    if (erased.length < documents.length) this.#blocks.insert(documents.filter((_, i) => !numbers.has(i)));
    this.#release(runsOf(namesOf(erased.map(({ id }) => id))));
    this.#sourceNames.count(changes(erased, -1));
    return erased.length;
  }

  /** The next rows of an older store become a block. Returns whether there are more. */
  convert(markAt: (row: number) => number | null): boolean {
    const first = this.#oldRows.firstRow();
    if (first === null) return this.#oldRows.dropTables();
    const limit = { documents: BLOCK_DOCUMENTS, bytes: BLOCK_BYTES, row: markAt(first) ?? Number.MAX_SAFE_INTEGER };
    const documents = this.#oldRows.oldest(limit);
    for (const run of runsOf(namesOf(documents.map(({ id }) => id)))) this.#names.take(run);
    this.#insert(documents);
    this.#oldRows.remove(documents);
    return true;
  }

  #insert(documents: readonly BlockDocument[]): void {
    const groups = timeGroups(documents, ({ time }) => ({ min: time, max: time }), TIME_GROUPS_MAX);
    for (const group of groups) for (const piece of piecesOf(group)) this.#blocks.insert(piece);
  }

  /** Those that are not there yet; the others are answered. Their names are taken. */
  #fresh(taken: readonly Prepared[], statuses: Uint16Array): Prepared[] {
    const unknown = taken.filter(({ id, item }) => {
      if (this.#oldRows.has(id)) statuses[item] = 409;
      return statuses[item] === 0;
    });
    const fresh: Prepared[] = [];
    let at = 0;
    for (const run of runsOf(namesOf(unknown.map(({ id }) => id)))) {
      const free = this.#names.take(run);
      for (let index = run.first; index <= run.last; index++) {
        const document = unknown[at++];
        if (document === undefined) continue;
        const isFree = free.some(({ first, last }) => index >= first && index <= last);
        statuses[document.item] = isFree ? 201 : 409;
        if (isFree) fresh.push(document);
      }
    }
    return fresh;
  }

  #expireOldRows(rowMax: number, limit: number): number {
    if (!this.#oldRows.areThere) return 0;
    const documents = this.#oldRows.oldest({ documents: limit, bytes: STEP_BYTES, row: rowMax });
    this.#oldRows.remove(documents);
    this.#sourceNames.count(changes(documents, -1));
    return documents.length;
  }

  /** The names and the origins of all of its documents. Of a damaged block, what can be read of them. */
  #forget(block: Block): void {
    this.#cache.read(block, (reader) => {
      const counts = new Map<number, number>();
      for (const origin of reader.known.origin) counts.set(origin, (counts.get(origin) ?? 0) - 1);
      const runs = reader.runs();
      this.#sourceNames.count(counts);
      this.#release(runs);
    });
  }

  #release(runs: readonly NameRun[]): void {
    for (const run of runs) this.#names.release(run);
  }

  /** Null where it is damaged. */
  #documentsOf(block: Block): BlockDocument[] | null {
    const read = this.#cache.read(block, (reader) =>
      Array.from({ length: reader.documents }, (_, at) => reader.document(at)),
    );
    if (read === null) this.#spared.add(block.id);
    return read;
  }

  #isThere({ id }: Block): boolean {
    return this.#database.prepare('SELECT 1 FROM blocks WHERE id = ?').get(id) !== undefined;
  }
}

/** Of as many documents, and bytes, as a block takes. */
function* piecesOf(documents: readonly BlockDocument[]): Generator<BlockDocument[], void, void> {
  let piece: BlockDocument[] = [];
  let bytes = 0;
  for (const document of documents) {
    if (piece.length > 0 && (piece.length >= BLOCK_DOCUMENTS || bytes + document.text.length > BLOCK_BYTES)) {
      yield piece;
      piece = [];
      bytes = 0;
    }
    piece.push(document);
    bytes += document.text.length;
  }
  if (piece.length > 0) yield piece;
}

function changes(documents: readonly BlockDocument[], each: 1 | -1): Map<number, number> {
  const counts = new Map<number, number>();
  for (const { origin } of documents) counts.set(origin, (counts.get(origin) ?? 0) + each);
  return counts;
}
