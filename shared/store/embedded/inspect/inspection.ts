// Looks into the files of the store for `sluice store`: what is there, what it takes on the disk and for whom, and
// whether all of it is whole. Reads only, in steps; a service may write meanwhile.

import type { DatabaseSync } from 'node:sqlite';
import { SluiceError } from '#shared/errors.ts';
import { clampInstant, formatInstant } from '../../instant.ts';
import type { StoreSpace as StoreSpaceNow } from '../../store.ts';
import { OldRows } from '../search/old-rows.ts';
import { StoreSpace } from '../space/store-space.ts';
import { BlockFile } from '../tables/block-file.ts';
import { BLOCKS_VERSION, guarded, versionOf } from '../tables/document-file.ts';
import { PartTables } from '../tables/part-tables.ts';
import { type SizedBlocks, sizedBlocks } from './block-sizes.ts';
import { countMistakes, type Verified, Verification, type VerifyStep } from './verification.ts';

export interface StoreSummary {
  /** In blocks. */
  readonly documents: number;
  readonly blocks: number;
  /** Of those: to be merged. */
  readonly smallBlocks: number;
  /** Of an earlier version, not in blocks yet. */
  readonly oldDocuments: number;
  /** Of `@timestamp`, and of when they were indexed: ISO 8601; null without documents. */
  readonly times: readonly [first: string, last: string] | null;
  readonly indexed: readonly [first: string, last: string] | null;
  readonly space: Omit<StoreSpaceNow, 'bytesMax' | 'oldestMs'>;
  readonly lastBlock: number;
  /** Number of the last document. */
  readonly lastRow: number;
}

/** Documents of one origin. */
export interface OriginRow {
  readonly origin: number;
  readonly documents: number;
  readonly stream: string;
  readonly container: string;
  readonly service: string;
  readonly pod: string;
  readonly tag: string;
  readonly tenant: string;
}

const SUMMARY = `SELECT count(*) AS blocks, total(documents) AS documents,
  coalesce(sum(documents < 512 AND bytes < 2097152), 0) AS small, min(time_min) AS time_min, max(time_max) AS time_max,
  min(ingested_min) AS ingested_min, max(ingested_max) AS ingested_max, coalesce(max(id), 0) AS last_block,
  coalesce(max(row_max), 0) AS last_row FROM blocks`;

export class Inspection {
  readonly #database: DatabaseSync;
  readonly #file: string;
  readonly #parts: PartTables;
  readonly #blocks: BlockFile;

  /** Throws store_unavailable where the file has no blocks yet. */
  constructor(database: DatabaseSync, file: string) {
    if (versionOf(database) < BLOCKS_VERSION)
      throw new SluiceError(
        'store_unavailable',
        `Cannot look into the embedded store at ${file}: an earlier version of Sluice made it; run \`sluice store ` +
          'compact`, which converts it',
      );
    this.#database = database;
    this.#file = file;
    this.#parts = new PartTables(database);
    this.#blocks = new BlockFile(database);
  }

  summary(): StoreSummary {
    return this.#atOneMoment(() => {
      const statement = this.#database.prepare(SUMMARY);
      statement.setReadBigInts(true);
      const row = statement.get() ?? {};
      const space = new StoreSpace(this.#database, { file: this.#file, bytesMax: undefined, tell: () => undefined });
      const { usedBytes, freeBytes, walBytes } = space.measure(null);
      return {
        documents: Number(row['documents']),
        blocks: Number(row['blocks']),
        smallBlocks: Number(row['small']),
        oldDocuments: this.#oldDocuments(),
        times: spanOf(row['time_min'], row['time_max'], 1n),
        indexed: spanOf(row['ingested_min'], row['ingested_max'], 1_000_000n),
        space: { usedBytes, freeBytes, walBytes },
        lastBlock: Number(row['last_block']),
        lastRow: Number(row['last_row']),
      };
    });
  }

  /** Where documents come from, and how many there are of each. */
  origins(): OriginRow[] {
    const sql = `SELECT rowid AS origin, documents, stream, tenant, pod, tag, service,
      CASE container_name WHEN '' THEN container_id ELSE container_name END AS container FROM origins`;
    // The schema is strict about the types of its columns.
    return guarded(() => this.#database.prepare(sql).all()) as unknown as OriginRow[];
  }

  /** What the next blocks take on the disk, by origin. */
  sizes(after: { readonly block: number; readonly lastBlock: number }): SizedBlocks {
    return this.#atOneMoment(() => sizedBlocks(this.#database, this.#blocks, this.#parts, after));
  }

  verify(step: VerifyStep): Verified {
    return this.#atOneMoment(() => new Verification(this.#database, this.#blocks).verify(step));
  }

  /** What is wrong with the file as a whole: sentences, of which the first list is of damage. */
  counts(): { readonly damage: readonly string[]; readonly remarks: readonly string[] } {
    return this.#atOneMoment(() => countMistakes(this.#database, this.#oldDocuments()));
  }

  #oldDocuments(): number {
    return new OldRows(this.#database).total();
  }

  #atOneMoment<T>(work: () => T): T {
    return guarded(() => {
      this.#database.exec('BEGIN');
      try {
        return work();
      } finally {
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      }
    });
  }
}

function spanOf(min: unknown, max: unknown, ns: bigint): [string, string] | null {
  if (typeof min !== 'bigint' || typeof max !== 'bigint') return null;
  // A damaged row may say what no time is.
  return [formatInstant(clampInstant(min * ns)), formatInstant(clampInstant(max * ns))];
}
