// The blocks that were read last, decoded as far as they were asked. A block's number never comes again, so what is
// kept is never stale. What is damaged is told once, and is as if it were empty.

import { isDamaged } from '#shared/sqlite/database.ts';
import { type Block, type BlockFile, DamagedBlock } from './block-file.ts';
import type { BlockReader } from '../blocks/decode-block.ts';

/** What its objects take, of so many bytes as text. */
const HEAD_FACTOR = 4;
const TOLD_MAX = 10_000;

export interface BlockCacheOptions {
  /** Of the documents of all that are kept, in characters; one block may have more. */
  readonly keptBytes: number;
  tell(message: string): void;
}

export class BlockCache {
  readonly #file: BlockFile;
  readonly #options: BlockCacheOptions;
  readonly #kept = new Map<number, { readonly reader: BlockReader; readonly bytes: number }>();
  readonly #told = new Set<number>();
  #bytes = 0;

  constructor(file: BlockFile, options: BlockCacheOptions) {
    this.#file = file;
    this.#options = options;
  }

  /** What `work` makes of the block; null where it is damaged. */
  read<T>(block: Block, work: (reader: BlockReader) => T): T | null {
    return this.confined(block.id, () => work(this.#open(block)));
  }

  /** What `work` gives; null where it finds the block damaged. */
  confined<T>(block: number | null, work: () => T): T | null {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof DamagedBlock) && !isDamaged(error) && !isUnreadable(error)) throw error;
      this.#tellOnce(error instanceof DamagedBlock ? error.block : (block ?? -1), error);
      return null;
    }
  }

  #open(block: Block): BlockReader {
    const kept = this.#kept.get(block.id);
    const reader = kept?.reader ?? this.#file.open(block);
    const size = block.bytes + HEAD_FACTOR * reader.headBytes;
    if (kept === undefined) this.#bytes += size;
    // Behind all others.
    this.#kept.delete(block.id);
    this.#kept.set(block.id, { reader, bytes: size });
    for (const [id, { bytes }] of this.#kept) {
      if (this.#bytes <= this.#options.keptBytes || this.#kept.size === 1) break;
      this.#kept.delete(id);
      this.#bytes -= bytes;
    }
    return reader;
  }

  #tellOnce(block: number, error: unknown): void {
    if (this.#told.has(block) || this.#told.size >= TOLD_MAX) return;
    this.#told.add(block);
    const reason = error instanceof Error ? error.message : String(error);
    this.#options.tell(`Cannot read some documents of the embedded store: ${reason}; all others are there`);
  }
}

/** What zlib throws for bytes that are no zstd. */
function isUnreadable(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ZSTD_');
}
