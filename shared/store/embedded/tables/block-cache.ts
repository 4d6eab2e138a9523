// The blocks that were read last, decoded as far as they were asked. A block's number never comes again, so what is
// kept is never stale. What is damaged is told once, and is as if it were empty.

import { isDamaged } from '#shared/sqlite/database.ts';
import { type Block, type BlockFile, DamagedBlock } from './block-file.ts';
import type { BlockReader } from '../blocks/decode-block.ts';

const TOLD_MAX = 10_000;

export interface BlockCacheOptions {
  /** Memory that all take together, about; one block may take more. */
  readonly keptBytes: number;
  tell(message: string): void;
}

export class BlockCache {
  readonly #file: BlockFile;
  readonly #options: BlockCacheOptions;
  readonly #kept = new Map<number, { readonly reader: BlockReader; bytes: number }>();
  readonly #told = new Set<number>();
  #bytes = 0;

  constructor(file: BlockFile, options: BlockCacheOptions) {
    this.#file = file;
    this.#options = options;
  }

  /** What `work` makes of the block; null where it is damaged. */
  read<T>(block: Block, work: (reader: BlockReader) => T): T | null {
    return this.confined(block.id, () => {
      const reader = this.#open(block);
      try {
        return work(reader);
      } finally {
        this.#keep(block.id, reader);
      }
    });
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
    return this.#kept.get(block.id)?.reader ?? this.#file.open(block);
  }

  /** Behind all others, with what of it is decoded by now. The first ones go, where that is too much. */
  #keep(block: number, reader: BlockReader): void {
    const kept = this.#kept.get(block) ?? { reader, bytes: 0 };
    const bytes = reader.keptBytes;
    this.#bytes += bytes - kept.bytes;
    kept.bytes = bytes;
    this.#kept.delete(block);
    this.#kept.set(block, kept);
    for (const [id, first] of this.#kept) {
      if (this.#bytes <= this.#options.keptBytes || this.#kept.size === 1) break;
      this.#kept.delete(id);
      this.#bytes -= first.bytes;
    }
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
