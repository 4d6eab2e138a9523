// What answers that count or sort may keep, of the heap that they share: each takes half of what is left when it
// begins. So none, and not all together, can end the thread, which would end everybody's searches and tails with it.
//
// Guarantee: a share is given back once.

/** Of all answers together: half of the heap of the thread that makes them (searches.ts). */
export const KEPT_BYTES_MAX = 256 * 1024 * 1024;

export interface MemoryShare extends Disposable {
  readonly bytes: number;
}

export class MemoryShares {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  take(): MemoryShare {
    let bytes = Math.floor(this.#left / 2);
    const share = bytes;
    this.#left -= bytes;
    return {
      bytes: share,
      [Symbol.dispose]: () => {
        this.#left += bytes;
        bytes = 0;
      },
    };
  }
}
