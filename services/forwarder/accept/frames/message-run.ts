// Messages of the Forward protocol come a frame each; those of one tag that came in one read go on as one chunk.
// Copies each message's time and record behind the header of an entry: [tag, time, record] → 0x92 time record.

const ENTRY_HEADER = 0x92;
/** A smaller run lies in Node's pool with others: memory of its own would cost more than a collector does with it. */
const OWN_BYTES_MIN = 4096;

export class MessageRun {
  tag = '';
  count = 0;
  #bytes = Buffer.alloc(0);
  #length = 0;
  /**
   * One read is much like the one before, so a run of its size needs no growing, and holds little that it does not use.
   */
  #lastLength = 0;

  /** Whether the run has memory of its own. */
  get isOwn(): boolean {
    return this.#bytes.length >= OWN_BYTES_MIN;
  }

  get length(): number {
    return this.#length;
  }

  /** `start` to `end`: time and record in the frame. */
  add(frame: Buffer, start: number, end: number): void {
    const needed = this.#length + 1 + end - start;
    if (needed > this.#bytes.length) this.#grow(Math.max(needed, this.#lastLength, Math.ceil(1.5 * this.#length)));
    this.#bytes[this.#length] = ENTRY_HEADER;
    frame.copy(this.#bytes, this.#length + 1, start, end);
    this.#length = needed;
    this.count++;
  }

  /** The run so far; the next one begins with a buffer of its own. */
  take(): Buffer {
    const run = this.#bytes.subarray(0, this.#length);
    this.#bytes = Buffer.alloc(0);
    this.#lastLength = this.#length;
    this.#length = 0;
    this.count = 0;
    return run;
  }

  #grow(bytes: number): void {
    const larger = bytes < OWN_BYTES_MIN ? Buffer.allocUnsafe(bytes) : Buffer.allocUnsafeSlow(bytes);
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}
