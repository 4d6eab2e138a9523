// The memory of the events that a large body was converted to, which several chunks are parts of. It is given back when
// its events are settled: left to the garbage collector, tens of megabytes would lie about until the next large body
// comes.
//
// Guarantees: nothing is given back of which a chunk is not stored, for it may be under way still, and nothing that is
// no chunk's: an answer may be made of that later.

import { isOwn } from '../../dialects/conversions.ts';

export class MadeBytes {
  readonly #users = new Map<ArrayBuffer, number>();

  /** For a chunk with these entries; to be called once, when it is stored. */
  user({ buffer }: Uint8Array): () => void {
    if (!isOwn(buffer)) return () => undefined;
    this.#add(buffer, 1);
    return () => this.#add(buffer, -1);
  }

  #add(buffer: ArrayBuffer, users: number): void {
    this.#users.set(buffer, (this.#users.get(buffer) ?? 0) + users);
  }

  /** When no more chunks are made of it; once. Returns the bytes that are kept. */
  freeUnused(): number {
    let keptBytes = 0;
    for (const [buffer, users] of this.#users) {
      if (users === 0) buffer.transfer(0);
      else keptBytes += buffer.byteLength;
    }
    return keptBytes;
  }
}
