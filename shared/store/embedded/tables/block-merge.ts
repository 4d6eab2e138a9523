// Small blocks become larger ones, so that searches open few and compression has much to go by. Blocks of one bulk
// request are merged in two steps, so that no document is written more than a few times.
//
//   up to 31 documents    64 of them become one
//   up to 511             16 of them become one, or as soon as they have 2,048 documents
//
// Only what is near in time is merged (time-groups.ts), unless there is too much of it. Blocks on either side of an age
// mark (age-marks.ts) are never merged: they end by age at different times. Before a mark is made, what is small is
// merged, however little it is.

import type { DatabaseSync } from 'node:sqlite';
import { timeGroups } from '../blocks/time-groups.ts';
import { type Block, BLOCK_COLUMNS, blockOf, DamagedBlock } from './block-file.ts';

/** What a block has at most: one document may have more bytes. */
export const BLOCK_DOCUMENTS = 2048;
export const BLOCK_BYTES = 4 * 1024 * 1024;

const SMALL = 'b.documents < 512 AND b.bytes < 2097152';
const TINY_DOCUMENTS = 32;
const TINY_COUNT = 64;
const SMALL_COUNT = 16;
/** Small blocks that may stay for being far from each other in time. */
const APART_MAX = 512;

export const SMALL_BLOCKS_INDEX = `
  CREATE INDEX IF NOT EXISTS blocks_small ON blocks (row_max) WHERE ${SMALL.replaceAll('b.', '')};
`;

export interface MergeRange {
  /** Of the age mark before: the last one, if none is behind. */
  readonly afterRow: number;
  /** Of the age mark behind; without one, up to the last document. */
  readonly toRow?: number | undefined;
  /** However few they are. */
  readonly all: boolean;
}

/** The blocks that are to be one now; null: none. */
export function blocksToMerge(
  database: DatabaseSync,
  { afterRow, toRow = Number.MAX_SAFE_INTEGER, all }: MergeRange,
  spared: ReadonlySet<number>,
): readonly Block[] | null {
  const statement = database.prepare(
    `SELECT ${BLOCK_COLUMNS} FROM blocks b INDEXED BY blocks_small
     WHERE ${SMALL} AND b.row_max > ? AND b.row_max <= ? AND b.row_min > ? ORDER BY b.row_max`,
  );
  statement.setReadBigInts(true);
  const small: Block[] = [];
  for (const row of statement.all(afterRow, toRow, afterRow)) {
    try {
      if (!spared.has(Number(row['id']))) small.push(blockOf(row));
    } catch (error) {
      // It stays as it is.
      if (!(error instanceof DamagedBlock)) throw error;
    }
  }
  const groups = timeGroups(small, ({ time }) => time);
  for (const group of groups) {
    const due = dueOf(group, all);
    if (due !== null) return due;
  }
  return small.length > APART_MAX ? atOnce(groups.flat()) : null;
}

function dueOf(small: readonly Block[], all: boolean): readonly Block[] | null {
  if (all) return atOnce(small);
  const tiny = small.filter(({ documents }) => documents < TINY_DOCUMENTS);
  if (tiny.length >= TINY_COUNT) return atOnce(tiny);
  const others = small.filter(({ documents }) => documents >= TINY_DOCUMENTS);
  const documents = others.reduce((sum, block) => sum + block.documents, 0);
  return others.length >= SMALL_COUNT || documents >= BLOCK_DOCUMENTS ? atOnce(others) : null;
}

/** The first of them, as many as one block takes; null where that is one alone. */
function atOnce(blocks: readonly Block[]): readonly Block[] | null {
  const merged: Block[] = [];
  let [documents, bytes] = [0, 0];
  for (const block of blocks) {
    documents += block.documents;
    bytes += block.bytes;
    if (documents > BLOCK_DOCUMENTS || bytes > BLOCK_BYTES) break;
    merged.push(block);
  }
  return merged.length > 1 ? merged : null;
}
