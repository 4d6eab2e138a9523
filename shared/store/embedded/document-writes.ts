// What is done to documents: written, merged, erased, ended by age, and taken over from an older store. Each is one
// transaction of whoever calls (database.ts), in which documents, their names and the counts of their origins change
// together. Throws as SQLite does, and is undone then.

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { type Erasure, type Merge, readToMerge } from './block-changes.ts';
import { BlockCache } from './tables/block-cache.ts';
import { type Block, BlockFile } from './tables/block-file.ts';
import { BLOCK_BYTES, BLOCK_DOCUMENTS, blocksToMerge, type MergeRange } from './tables/block-merge.ts';
import { namesOf, type NameRun, runsBefore, runsOf } from './blocks/document-ids.ts';
import type { BlockDocument } from './blocks/encode-block.ts';
import { timeGroups } from './blocks/time-groups.ts';
import { type BatchNames } from './batch-names.ts';
import { BatchReader, type ReadBatch } from './batch-reader.ts';
import { blocksOf, changes, documentsOf, idOfItem, isAsWritten, piecesOf } from './document-pieces.ts';
import { DocumentNames, leaveNames } from './tables/document-names.ts';
import { mendCounter } from './tables/row-counter.ts';
import { EndedBlocks, type Kept } from './ended-blocks.ts';
import { OldRows } from './search/old-rows.ts';
import type { SourceNames } from './source-names.ts';

export interface Documents {
  /** JSON of all documents, one after another, with anything between. */
  readonly body: Uint8Array;
  /** Null: each stands before its document (written-ids.ts). */
  readonly ids: readonly string[] | null;
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

/** Of old rows that one step deletes at most, and one row more: no write is done meanwhile. */
const STEP_BYTES = 16 * 1024 * 1024;

/** Requests from one look at what is to be merged to the next: it goes through all small blocks. */
const ASKED_EVERY = 8;
const NO_NAMES: BatchNames = { containerId: '', containerName: '', service: '', pod: '', tag: '', tenant: '' };
/** Blocks that one bulk request makes because of its times. */
const TIME_GROUPS_MAX = 8;

export interface PreparedDocuments extends ReadBatch {
  readonly documents: Documents;
  /** Items that are rows of an older store. */
  readonly old: readonly number[];
}

export class DocumentWrites {
  /** Blocks that are deleted as a whole. */
  readonly ended: EndedBlocks;
  readonly #database: DatabaseSync;
  readonly #sourceNames: SourceNames;
  readonly #names: DocumentNames;
  readonly #blocks: BlockFile;
  readonly #cache: BlockCache;
  readonly #oldRows: OldRows;
  readonly #batches = new BatchReader();
  readonly #lastRow: StatementSync;
  readonly #addRows: StatementSync;
  /** Requests since nothing was to merge. */
  #unmerged = ASKED_EVERY;
  /** Blocks that cannot be read: they are not merged. */
  readonly #spared = new Set<number>();

  constructor(database: DatabaseSync, sourceNames: SourceNames, tell: (message: string) => void) {
    mendCounter(database, tell);
    this.#database = database;
    this.#sourceNames = sourceNames;
    this.#names = new DocumentNames(database);
    this.#blocks = new BlockFile(database);
    this.#cache = new BlockCache(this.#blocks, { keptBytes: 0, tell });
    this.#oldRows = new OldRows(database, tell);
    const [names, blocks, cache] = [this.#names, this.#blocks, this.#cache];
    this.ended = new EndedBlocks({ database, sourceNames, names, blocks, cache });
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

  /** Before the transaction, which a damaged page of an older store would spoil. */
  prepare(documents: Documents): PreparedDocuments {
    const read = this.#batches.read(documents);
    const old: number[] = [];
    if (this.#oldRows.areThere)
      for (let item = 0; item < documents.streams.length; item++)
        if (this.#oldRows.has(idOfItem(documents, read.batch.body, item))) old.push(item);
    return { ...read, documents, old };
  }

  write(prepared: PreparedDocuments): WriteResult {
    const { documents, names, refused } = prepared;
    const statuses = new Uint16Array(documents.streams.length);
    for (const item of prepared.old) statuses[item] = 409;
    for (const { item } of refused) statuses[item] = 400;
    const { fresh, runs } = this.#fresh(documents, prepared.batch.body, statuses);
    const last = Number(this.#addRows.get(fresh.length)?.['value'] ?? 0);
    const rows = new Float64Array(fresh.length);
    for (let i = 0; i < rows.length; i++) rows[i] = last - rows.length + 1 + i;
    const { origins, nameless } = this.#originsOf(documents, names, fresh);
    const counts = new Map<number, number>();
    for (const origin of origins) counts.set(origin, (counts.get(origin) ?? 0) + 1);
    this.#sourceNames.count(counts);
    const chosen = { batch: prepared.batch, documents: fresh, rows, origins, runs };
    if (isAsWritten(prepared, nameless)) {
      for (const block of blocksOf(chosen, TIME_GROUPS_MAX)) this.#blocks.insertBatch(block);
    } else this.#insert(documentsOf(chosen, prepared, nameless));
    this.#unmerged += 1;
    return { statuses, refused, unnamed: nameless.size };
  }

  /** `nameless`: which of the items have none of their names in the table, for there may be no more of them. */
  #originsOf(
    { streams, streamNames }: Documents,
    names: ReadBatch['names'],
    fresh: Int32Array,
  ): { readonly origins: Float64Array; readonly nameless: ReadonlySet<number> } {
    const nameless = new Set<number>();
    const known = new Map<BatchNames, number>();
    const origins = new Float64Array(fresh.length);
    let stream = -1;
    for (let i = 0; i < origins.length; i++) {
      const item = fresh[i] ?? 0;
      const own = names[item] ?? NO_NAMES;
      if (streams[item] !== stream) known.clear();
      stream = streams[item] ?? 0;
      let origin = known.get(own) ?? null;
      if (origin === null) {
        const streamName = streamNames[stream] ?? '';
        origin = this.#sourceNames.find(streamName, own) ?? this.#sourceNames.make(streamName, own);
        if (origin !== null) known.set(own, origin);
        else nameless.add(item);
        origin ??= this.#sourceNames.rowWithoutNames(streamName);
      }
      origins[i] = origin;
    }
    return { origins, nameless };
  }

  toMerge(range: MergeRange): readonly Block[] | null {
    if (!range.all && this.#unmerged < ASKED_EVERY) return null;
    const due = blocksToMerge(this.#database, range, this.#spared);
    if (due === null) this.#unmerged = 0;
    return due;
  }

  /** Before the transaction, which a damaged page of the file would spoil. Null: there is nothing to merge. */
  readToMerge(blocks: readonly Block[]): Merge | null {
    return readToMerge(blocks, this.#cache, ({ id }) => this.#spared.add(id));
  }

  merge({ blocks, joined, documents }: Merge): void {
    // Another process may have been first. What is in a block never changes.
    if (!blocks.every((block) => this.#isThere(block))) return;
    for (const block of blocks) this.#blocks.remove(block);
    if (joined === null) this.#blocks.insert(documents);
    else this.#blocks.insertJoined(blocks, joined);
  }

  /** Where nothing can be added to the parts of blocks any more. */
  beginParts(): void {
    this.#blocks.beginParts();
  }

  /** They are not merged any more. */
  spare(blocks: readonly Block[]): void {
    for (const { id } of blocks) this.#spared.add(id);
  }

  /** Rows of an older store up to this number: at most `limit`, and so many bytes. Returns how many. */
  expireOldRows(rowMax: number, limit: number): number {
    if (rowMax < 0 || !this.#oldRows.areThere) return 0;
    const documents = this.#oldRows.oldest({ documents: limit, bytes: STEP_BYTES, row: rowMax });
    this.#oldRows.remove(documents);
    this.#sourceNames.count(changes(documents, -1));
    return documents.length;
  }

  /** Before the transaction. `doomed`: numbers of its documents. Null where there is nothing to erase. */
  readToErase(block: Block, doomed: readonly number[]): Erasure | null {
    const documents = doomed.length === 0 ? null : this.#documentsOf(block);
    if (documents === null) return null;
    const numbers = new Set(doomed);
    return {
      block,
      erased: documents.filter((_, i) => numbers.has(i)),
      left: documents.filter((_, i) => !numbers.has(i)),
    };
  }

  /** Returns how many were erased. */
  erase({ block, erased, left }: Erasure, kept: Kept): number {
    if (!this.#isThere(block)) return 0;
    this.#blocks.remove(block, { keepParts: kept !== 'nothing' });
    if (left.length > 0) this.#blocks.insert(left);
    if (kept === 'parts and names') {
      leaveNames(this.#database, erased.length);
      return erased.length;
    }
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
    // A program of before may have written one that is in a block. What it wrote was never counted for its origin, so
    // nothing is taken off: an origin with too many stays longer, one with too few goes before its documents.
    const { fresh } = this.#take(runsOf(namesOf(documents.map(({ id }) => id))), documents.length);
    const places = new Set(fresh);
    this.#insert(documents.filter((_, i) => places.has(i)));
    this.#oldRows.remove(documents);
    return true;
  }

  #insert(documents: readonly BlockDocument[]): void {
    const groups = timeGroups(documents, ({ time }) => ({ min: time, max: time }), TIME_GROUPS_MAX);
    for (const group of groups) for (const piece of piecesOf(group)) this.#blocks.insert(piece);
  }

  /** Items that are not there yet, and their names, which are taken; the others are answered. */
  #fresh(
    documents: Documents,
    body: Buffer,
    statuses: Uint16Array,
  ): { readonly fresh: Int32Array; readonly runs: NameRun[] } {
    const unknown = [...statuses.keys()].filter((item) => statuses[item] === 0);
    const startOf = (item: number): number => documents.bounds[2 * item] ?? 0;
    const asked =
      documents.ids === null
        ? runsBefore(body, unknown.map(startOf))
        : runsOf(namesOf(unknown.map((item) => idOfItem(documents, body, item))));
    const { fresh, runs } = this.#take(asked, unknown.length);
    for (const item of unknown) statuses[item] = 409;
    const items = fresh.map((at) => unknown[at] ?? 0);
    for (const item of items) statuses[item] = 201;
    return { fresh: items, runs };
  }

  /** Takes so many names; returns the places of those that were free. */
  #take(asked: readonly NameRun[], names: number): { readonly fresh: Int32Array; readonly runs: NameRun[] } {
    const fresh = new Int32Array(names);
    const runs: NameRun[] = [];
    let [count, at] = [0, 0];
    for (const [i, free] of this.#names.takeAll(asked).entries()) {
      const { key = '', first = 0, last = -1 } = asked[i] ?? {};
      for (const range of free) {
        runs.push({ key, ...range });
        for (let index = range.first; index <= range.last; index++) fresh[count++] = at + index - first;
      }
      at += last - first + 1;
    }
    return { fresh: fresh.subarray(0, count), runs };
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

  #isThere({ id }: Pick<Block, 'id'>): boolean {
    return this.#database.prepare('SELECT 1 FROM blocks WHERE id = ?').get(id) !== undefined;
  }
}
