// What documents take on the disk, by where they come from. A block is compressed as one, so what it takes is divided
// by how long its documents are as JSON.

import type { DatabaseSync } from 'node:sqlite';
import { type Block, BLOCK_COLUMNS, type BlockFile, blockOf } from '../tables/block-file.ts';
import type { PartTables } from '../tables/part-tables.ts';

export interface SizedBlocks {
  /** Where the next step goes on; null where nothing is left. */
  readonly next: number | null;
  /** Of what was looked at: origin → bytes on the disk. */
  readonly bytes: ReadonlyMap<number, number>;
  readonly documents: number;
  /** Bytes of blocks that are damaged, so that nobody knows whose they are. */
  readonly unknownBytes: number;
}

/** Of documents that one step looks at, in characters. */
const STEP_BYTES = 8 * 1024 * 1024;

/** Blocks behind this one, up to the last that there was at the beginning: what is merged meanwhile is left out. */
export function sizedBlocks(
  database: DatabaseSync,
  blocks: BlockFile,
  parts: PartTables,
  { block: after, lastBlock }: { readonly block: number; readonly lastBlock: number },
): SizedBlocks {
  const statement = database.prepare(
    `SELECT ${BLOCK_COLUMNS} FROM blocks b WHERE b.id > ? AND b.id <= ? ORDER BY b.id`,
  );
  statement.setReadBigInts(true);
  const bytes = new Map<number, number>();
  let [documents, looked, unknownBytes, next] = [0, 0, 0, null as number | null];
  for (const row of statement.iterate(after, lastBlock)) {
    const id = Number(row['id']);
    if (looked > STEP_BYTES) return { next, bytes, documents, unknownBytes };
    looked += Number(row['bytes']);
    documents += Number(row['documents']);
    next = id;
    const onDisk = parts.bytesOf(id);
    const shares = sharesOf(blocks, row);
    if (shares === null) unknownBytes += onDisk;
    else for (const [origin, share] of shares) bytes.set(origin, (bytes.get(origin) ?? 0) + share * onDisk);
  }
  return { next: null, bytes, documents, unknownBytes };
}

/** Origin → its part of the block; null where the block cannot be read. */
function sharesOf(blocks: BlockFile, row: Record<string, unknown>): ReadonlyMap<number, number> | null {
  try {
    const block: Block = blockOf(row);
    const reader = blocks.open(block);
    const { origin } = reader.known;
    if (origin.every((one) => one === origin[0])) return new Map([[origin[0] ?? 0, 1]]);
    const lengths = new Map<number, number>();
    let sum = 0;
    for (const [at, one] of origin.entries()) {
      const { length } = reader.text(at);
      lengths.set(one, (lengths.get(one) ?? 0) + length);
      sum += length;
    }
    return new Map([...lengths].map(([one, length]) => [one, length / sum]));
  } catch {
    // `sluice store verify` says what is the matter.
    return null;
  }
}
