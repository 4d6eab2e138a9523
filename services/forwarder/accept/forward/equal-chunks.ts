// fluent-bit names a chunk by a hash of its content (32 hex digits of SHA-512), so two flushes that say the same have
// one name. A chunk whose id and content were acked on its connection before is another flush, for a connection goes on
// only when its ack was read: it gets a name of its own. Anywhere else an equal chunk is a repeat.
//
// Guarantees: ids of any other form, which are random, are never looked at; a chunk gets a name of its own only after
// the ack of its equal was written on the same connection; until the new one is acked too, the same sender's next equal
// chunk goes by that same name, on whichever connection of this process it comes, so that the new one is not lost to
// its own repeat. Both memories are bounded.

import { hash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Chunk, Content } from '../../intake/chunk.ts';

/** Chunks that a connection remembers: equal flushes are seconds apart, for their times are equal. */
const CHUNKS_MAX = 256;
/** New names of a whole process whose ack was not written yet. */
const UNACKED_MAX = 4096;
const HASH_DIGITS = 32;
const SUFFIX_BYTES = 8;

/** What a connection knows of the chunks of one id and content. */
interface Known {
  /** What follows the id in the name of the newest; null for the first, whose name is the id. */
  suffix: Buffer | null;
  /** Whether the ack of the newest was written. */
  isAcked: boolean;
}

/** Of a chunk, what it is named by. */
type Sent = Pick<Chunk, 'tenant' | 'sender' | 'tag' | 'chunkId'>;
type Named = Sent & { readonly content: Content };

export interface NamedChunk<C extends Sent = Chunk> {
  readonly chunk: C & Named;
  /** Whether it says what another one had said, and is none of its repeats. */
  readonly isNew: boolean;
  /** To be called when its ack was written. */
  acked(): void;
}

/** Of all connections of a server: new names that a repeat on another connection has to come under. */
export class UnackedNames {
  readonly #suffixes = new Map<string, Buffer>();

  suffixOf(chunk: Named): Buffer | null {
    return this.#suffixes.size === 0 ? null : (this.#suffixes.get(keyOf(chunk)) ?? null);
  }

  add(chunk: Named, suffix: Buffer): void {
    this.#suffixes.set(keyOf(chunk), suffix);
    dropOldest(this.#suffixes, UNACKED_MAX);
  }

  delete(chunk: Named): void {
    if (this.#suffixes.size > 0) this.#suffixes.delete(keyOf(chunk));
  }
}

/** Of one connection. */
export class EqualChunks {
  readonly #unacked: UnackedNames;
  readonly #known = new Map<string, Known>();

  constructor(unacked: UnackedNames) {
    this.#unacked = unacked;
  }

  /** The chunk under the name that it goes by; null where its id is no hash of its content, and it stays as it is. */
  named<C extends Sent>(sent: C, contentOf: (sent: C) => Content): NamedChunk<C> | null {
    const { chunkId, tag } = sent;
    if (!chunkId || !isHash(chunkId)) return null;
    const content = contentOf(sent);
    const chunk = { ...sent, content };
    const key = `${Buffer.from(chunkId).toString('latin1')} ${content.crc32} ${content.length} ${crc32(tag)}`;
    const known = this.#known.get(key) ?? { suffix: this.#unacked.suffixOf(chunk), isAcked: false };
    // The last in the map is the last to go.
    this.#known.delete(key);
    this.#known.set(key, known);
    dropOldest(this.#known, CHUNKS_MAX);
    const isNew = known.isAcked;
    if (isNew) {
      known.suffix = randomBytes(SUFFIX_BYTES);
      known.isAcked = false;
      this.#unacked.add(chunk, known.suffix);
    }
    const acked = (): void => {
      known.isAcked = true;
      if (known.suffix) this.#unacked.delete(chunk);
    };
    if (!known.suffix) return { chunk, isNew, acked };
    return { chunk: { ...chunk, chunkId: Buffer.concat([chunkId, known.suffix]) }, isNew, acked };
  }
}

function isHash(chunkId: Uint8Array): boolean {
  if (chunkId.length !== HASH_DIGITS) return false;
  return chunkId.every((byte) => (byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66));
}

function keyOf({ tenant, sender, tag, chunkId, content }: Named): string {
  return hash('sha256', JSON.stringify([tenant, sender, tag, chunkId, content]), 'base64');
}

function dropOldest(map: Map<string, unknown>, sizeMax: number): void {
  if (map.size <= sizeMax) return;
  for (const key of map.keys()) {
    map.delete(key);
    return;
  }
}
