// Gives each chunk its batch: identity, time of receipt, and place in the order of arrival.
//
// Guarantees: sequence numbers never repeat and never go back, whatever the clock does; every repeat of a chunk id has
// the same identity, so no clock has a part in it.

import { crc32 } from 'node:zlib';
import type { Clock } from '#shared/clock.ts';
import { entryTimeMs } from '#shared/record/entry-time.ts';
import { chunkIdentity, randomIdentity } from '#shared/record/identity.ts';
import { type Batch, RECORD_VERSION } from '#shared/record/record.ts';
import type { Chunk, Origin, SlicedChunk, Undecodable } from './chunk.ts';

export class NewBatches {
  readonly #clock: Clock;
  #nextSeq = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  of(chunk: Chunk): Batch {
    const batch = this.#batch(chunk, chunk.count, (receivedMs) => identityOf(chunk, receivedMs));
    return chunk.chain === undefined ? batch : { ...batch, chain: chunk.chain };
  }

  ofSliced(chunk: SlicedChunk): Batch {
    const { content, head, count } = chunk;
    return this.#batch(chunk, count, (receivedMs) => identityOf({ ...chunk, content, entries: head }, receivedMs));
  }

  ofUndecodable(undecodable: Undecodable): Batch {
    return this.#batch(undecodable, 1, randomIdentity);
  }

  #batch(origin: Origin, count: number, identityAt: (receivedMs: number) => Uint8Array): Batch {
    const { tag, input, tenant, sender } = origin;
    const receivedMs = this.#clock.epochMs();
    const seq = Math.max(receivedMs * 1000, this.#nextSeq);
    this.#nextSeq = seq + count;
    const id = identityAt(receivedMs);
    return { version: RECORD_VERSION, id, first: 0, count, tag, input, tenant, receivedMs, seq, sender, chain: null };
  }
}

type Named = Pick<Chunk, 'tenant' | 'sender' | 'tag' | 'chunkId' | 'entries'> & Partial<Pick<SlicedChunk, 'content'>>;

/** Of a chunk in slices, `entries` are its first bytes, and `content` describes all of it. */
function identityOf({ tenant, sender, tag, chunkId, content, entries }: Named, receivedMs: number): Uint8Array {
  if (!chunkId) return randomIdentity(receivedMs);
  const timeMs = entryTimeMs(entries, 0, entries.length);
  const { crc32: checksum, length } = content ?? { crc32: crc32(entries), length: entries.length };
  // An identity has four bytes for the length.
  return chunkIdentity({ timeMs, tenant, sender, tag, chunkId, crc32: checksum, length: length % 2 ** 32 });
}
