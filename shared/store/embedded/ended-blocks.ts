// Blocks that are deleted as a whole, the oldest by arrival first: for their age, or for the room that they take. Their
// names are free again, and the counts of their origins fall.

import type { DatabaseSync } from 'node:sqlite';
import { isDamaged } from '#shared/sqlite/database.ts';
import type { NameRun } from './blocks/document-ids.ts';
import { countsOf } from './document-pieces.ts';
import type { SourceNames } from './source-names.ts';
import type { BlockSizes } from './space/stuck-space.ts';
import type { BlockCache } from './tables/block-cache.ts';
import { BLOCK_COLUMNS, type BlockFile, blockOf } from './tables/block-file.ts';
import { BLOCK_DOCUMENTS } from './tables/block-merge.ts';
import { type DocumentNames, leaveNames } from './tables/document-names.ts';

export interface EndedBlock {
  readonly id: number;
  readonly documents: number;
  readonly runs: readonly NameRun[];
  readonly counts: ReadonlyMap<number, number>;
  /** When the last of its documents was indexed, ms since the epoch; null where the block does not tell. */
  readonly lastMs: number | null;
}

/** What is deleted at once. */
export interface EndedLimit {
  /** Only blocks whose documents all have numbers up to this one. */
  readonly rowMax: number;
  /** About so many, and so many bytes on the disk: one block may be more. */
  readonly documents: number;
  readonly bytes: number;
}

/** What of a deleted block stays in the file, where a damaged page keeps it from being deleted too. */
export type Kept = 'nothing' | 'parts' | 'parts and names';

export interface EndedParts {
  readonly database: DatabaseSync;
  readonly sourceNames: SourceNames;
  readonly names: DocumentNames;
  readonly blocks: BlockFile;
  readonly cache: BlockCache;
}

export class EndedBlocks {
  readonly #parts: EndedParts;

  constructor(parts: EndedParts) {
    this.#parts = parts;
  }

  /** Number of the last document in blocks; -1 where there is none. */
  lastRow(): number {
    return Number(this.#parts.database.prepare('SELECT max(row_max) AS last FROM blocks').get()?.['last'] ?? -1);
  }

  /** When the block that goes next was indexed, ms since the epoch; null where there is none. */
  oldestMs(): number | null {
    const sql = 'SELECT ingested_min AS oldest FROM blocks ORDER BY row_max LIMIT 1';
    const oldest = this.#parts.database.prepare(sql).get()?.['oldest'];
    return typeof oldest === 'number' ? oldest : null;
  }

  /** Of blocks behind this one, at most so many. */
  sizes(after: number, blocksMax: number): BlockSizes {
    const ids = this.#parts.database.prepare('SELECT id FROM blocks WHERE id > ? ORDER BY id LIMIT ?');
    const some = ids.all(after, blocksMax).map(({ id }) => Number(id));
    const bytes = some.reduce((sum, id) => sum + (this.#bytesOf(id) ?? 0), 0);
    return { bytes, next: some.length < blocksMax ? null : (some.at(-1) ?? null) };
  }

  /** Null where a damaged page keeps that from being known, and so the block from being deleted as a whole. */
  #bytesOf(id: number): number | null {
    try {
      return this.#parts.blocks.bytesOf({ id });
    } catch (error) {
      if (!isDamaged(error)) throw error;
      return null;
    }
  }

  /** The next ones, read before the transaction, which a damaged page would spoil. */
  next({ rowMax, documents: documentsMax, bytes: bytesMax }: EndedLimit): readonly EndedBlock[] {
    const { database, cache } = this.#parts;
    const ended: EndedBlock[] = [];
    let [documents, bytes] = [0, 0];
    const statement = database.prepare(
      `SELECT ${BLOCK_COLUMNS} FROM blocks b WHERE b.row_max <= ? ORDER BY b.row_max LIMIT ?`,
    );
    statement.setReadBigInts(true);
    for (const row of statement.all(rowMax, Math.max(documentsMax, 0))) {
      if (documents >= documentsMax || bytes >= bytesMax) break;
      const id = Number(row['id']);
      const block = cache.confined(id, () => blockOf(row));
      const onDisk = this.#bytesOf(id);
      // What a damaged row says is believed as far as it can be, and decides nothing: its block is the last one.
      const count = block?.documents ?? Math.min(Math.max(Number(row['documents']), 1), BLOCK_DOCUMENTS);
      documents += count;
      bytes += block === null || onDisk === null ? bytesMax : onDisk;
      // Of a damaged block, its names and the counts of its origins stay.
      const read = block && cache.read(block, (reader) => ({ runs: reader.runs(), counts: countsOf(reader) }));
      const lastMs = block && Number(block.ingested.max);
      ended.push({ id, documents: count, lastMs, ...(read ?? { runs: [], counts: new Map() }) });
    }
    return ended;
  }

  /**
   * Returns how many documents it had. In the transaction of whoever calls.
   */
  remove({ id, documents, runs, counts }: EndedBlock, kept: Kept): number {
    const { database, sourceNames, names, blocks } = this.#parts;
    // Another process may have been first: `sluice erase` has the store open beside `sluice run`.
    if (database.prepare('SELECT 1 FROM blocks WHERE id = ?').get(id) === undefined) return 0;
    const released = kept === 'parts and names' ? [] : runs;
    if (kept !== 'parts and names') sourceNames.count(counts);
    for (const run of released) names.release(run);
    leaveNames(
      database,
      released.reduce((left, { first, last }) => left - (last - first + 1), documents),
    );
    blocks.remove({ id }, { keepParts: kept !== 'nothing' });
    return documents;
  }
}
