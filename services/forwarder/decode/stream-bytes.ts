// The bytes of a stream that wait to be cut into messages: the last push in place, or joined with what was left before.
// A message that arrives in a thousand pushes is copied a few times at most. A few waiting bytes never keep a whole
// read in memory, nor the buffer of an earlier large message.

const NONE = Buffer.alloc(0);
const HELD_BYTES_MIN = 256;
/** A buffer that is larger than what is in it by more is let go of. */
const SPARE_MAX = 4;
/** To look through so many for nothing costs little more than to make a view that ends before them. */
const NEAR_BYTES = 4096;

export class StreamBytes {
  /** What is there lies in bytes[from, to); valid until the next `push` or `pause`. Whoever cuts moves `from`. */
  bytes: Buffer = NONE;
  from = 0;
  to = 0;
  /** Whether `bytes` is a buffer of our own, which may have room behind `to`. */
  #isOwn = false;

  get length(): number {
    return this.to - this.from;
  }

  /** What is kept in memory, the bytes that were cut already and the room behind the others among it. */
  get capacity(): number {
    return this.bytes.length;
  }

  /**
   * Where the byte is between `from` and `limit`, or -1. Looks little further: a buffer may be far longer than what is
   * asked about.
   */
  indexOf(byte: number, from: number, limit = this.to): number {
    const { bytes } = this;
    if (bytes.length - limit <= NEAR_BYTES) {
      const at = bytes.indexOf(byte, from);
      return at < limit ? at : -1;
    }
    const at = bytes.subarray(from, limit).indexOf(byte);
    return at < 0 ? -1 : from + at;
  }

  /** Returns by how much the bytes that were there have moved, to be taken off offsets. */
  push(piece: Buffer): number {
    if (this.from === this.to) {
      const moved = this.from;
      this.bytes = piece;
      this.#isOwn = false;
      this.from = 0;
      this.to = piece.length;
      return moved;
    }
    const moved = this.#isOwn && this.to + piece.length <= this.bytes.length ? 0 : this.#move(piece.length);
    piece.copy(this.bytes, this.to);
    this.to += piece.length;
    return moved;
  }

  /** Until the next push, keeps only what is left. Returns what `push` does. */
  pause(): number {
    if (this.from === this.to) {
      const moved = this.from;
      this.clear();
      return moved;
    }
    return this.#isOwn && this.#isFull(this.length) ? 0 : this.#move(0);
  }

  clear(): void {
    this.bytes = NONE;
    this.#isOwn = false;
    this.from = 0;
    this.to = 0;
  }

  /** Makes room for `more` bytes, and for as much again. */
  #move(more: number): number {
    const { length, from } = this;
    const needed = Math.max(HELD_BYTES_MIN, 2 * (length + more));
    const fits = this.#isOwn && needed <= this.bytes.length && this.#isFull(length + more);
    const target = fits ? this.bytes : Buffer.allocUnsafeSlow(needed);
    this.bytes.copy(target, 0, from, this.to);
    this.bytes = target;
    this.#isOwn = true;
    this.from = 0;
    this.to = length;
    return from;
  }

  #isFull(length: number): boolean {
    return this.bytes.length <= Math.max(HELD_BYTES_MIN, SPARE_MAX * length);
  }
}
