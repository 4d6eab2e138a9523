// What no deletion gives back: documents of an earlier version on damaged pages can neither become blocks nor be
// deleted. Documents that come are not deleted for it, so how much it is has to be known first.
//
// Guarantees: what can be deleted is reckoned low rather than high, so that in doubt documents stay; a step looks at
// some blocks only.

import type { StoreSpace } from './store-space.ts';

/** Looked at by one step. */
const STEP_BLOCKS = 500;

/** What some blocks take on the disk. */
export interface BlockSizes {
  readonly bytes: number;
  /** The last of them, where there may be more behind it. */
  readonly next: number | null;
}

/** Of blocks, in the order of their numbers. */
interface Sized {
  sizes(from: number, limit: number): BlockSizes;
}

export class StuckSpace {
  readonly #space: StoreSpace;
  readonly #ended: Sized;
  readonly #tell: (message: string) => void;
  #sizes: BlockSizes = { bytes: 0, next: 0 };
  #isTold = false;

  constructor(space: StoreSpace, ended: Sized, tell: (message: string) => void) {
    this.#space = space;
    this.#ended = ended;
    this.#tell = tell;
  }

  /** A step, where there is such space. Returns whether it is known: what is not in blocks. */
  find(): boolean {
    const { next } = this.#sizes;
    if (next === null) return true;
    const some = this.#ended.sizes(next, STEP_BLOCKS);
    this.#sizes = { bytes: this.#sizes.bytes + some.bytes, next: some.next };
    if (some.next !== null) return false;
    this.#add(this.#space.usedBytes() - this.#sizes.bytes);
    return true;
  }

  #add(bytes: number): void {
    this.#space.stuckBytes += Math.max(0, bytes);
    const { stuckBytes } = this.#space;
    if (this.#isTold || !this.#space.isStuckBeyond()) return;
    this.#isTold = true;
    this.#tell(
      `${stuckBytes} bytes of the embedded store can neither be converted nor deleted, because of damaged pages: it ` +
        'stays larger than store.max_bytes, of which new documents have a half; to have all of it, take what can be ' +
        'read to a new store (sluice store export and import)',
    );
  }
}
