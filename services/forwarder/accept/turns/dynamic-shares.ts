// Bytes of many senders within one bound, of which nobody may have more than he leaves free (dynamic thresholds;
// Choudhury and Hahne, 1998). One sender alone has a half at most; k who come together leave 1/(k+1), so whoever comes
// later always finds something.
//
// Guarantees: constant time; a number for each sender that holds anything.

import assert from 'node:assert/strict';

export class DynamicShares {
  readonly bytesMax: number;
  readonly #bySender = new Map<string, number>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Of all senders. */
  get bytes(): number {
    return this.#bytes;
  }

  of(sender: string): number {
    return this.#bySender.get(sender) ?? 0;
  }

  /**
   * Whether the sender may have so many more; 0: whether it may have what it has. `free`: where others than these take
   * of the bound too.
   */
  fits(sender: string, bytes: number, free = this.bytesMax - this.#bytes): boolean {
    return this.of(sender) + bytes <= free - bytes;
  }

  /** Counts bytes that are there already, whether they fit or not. */
  take(sender: string, bytes: number): void {
    if (bytes === 0) return;
    this.#bytes += bytes;
    this.#bySender.set(sender, this.of(sender) + bytes);
  }

  give(sender: string, bytes: number): void {
    if (bytes === 0) return;
    const left = this.of(sender) - bytes;
    assert(left >= 0, 'no more is given back than was taken');
    this.#bytes -= bytes;
    if (left > 0) this.#bySender.set(sender, left);
    else this.#bySender.delete(sender);
  }
}
