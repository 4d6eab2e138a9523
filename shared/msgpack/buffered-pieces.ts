// The bytes of a frame that has not come whole yet. Large pieces are kept as they are; small ones are copied together,
// since a Buffer object costs more than they do; all are joined once, when the frame ends.
//
// Guarantees: what is buffered costs at most about twice its bytes, however small the pieces; a peer that sends a byte
// a second takes 2 KiB.

const PIECE_KEPT_MIN = 2048;
/** Where small pieces are copied to grows with the frame. */
const SLAB_BYTES_MIN = 2048;
const SLAB_BYTES_MAX = 64 * 1024;
const NONE = Buffer.alloc(0);

export class BufferedPieces {
  #pieces: Buffer[] = [];
  #bytes = 0;
  #slab: Buffer = NONE;
  /** What the slab has that is no piece yet. */
  #slabStart = 0;
  #slabEnd = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** Holds what `piece` has from `start` on. */
  hold(piece: Buffer, start: number): void {
    const size = piece.length - start;
    this.#bytes += size;
    if (size < PIECE_KEPT_MIN) {
      this.#copy(piece, start, size);
      return;
    }
    this.#seal();
    // A view keeps its whole piece in memory: not for less than half of it.
    if (start === 0) this.#pieces.push(piece);
    else this.#pieces.push(start > size ? Buffer.from(piece.subarray(start)) : piece.subarray(start));
  }

  /** All that is buffered and `tail`, as one; nothing is buffered after it. */
  join(tail: Buffer): Buffer {
    this.#seal();
    this.#pieces.push(tail);
    const joined = Buffer.concat(this.#pieces, this.#bytes + tail.length);
    this.#pieces = [];
    this.#bytes = 0;
    if (this.#slab.length > SLAB_BYTES_MIN) this.#dropSlab();
    return joined;
  }

  /** The pieces as they are buffered; nothing is buffered after it. */
  take(): Buffer[] {
    this.#seal();
    const pieces = this.#pieces;
    this.clear();
    return pieces;
  }

  clear(): void {
    this.#pieces = [];
    this.#bytes = 0;
    this.#dropSlab();
  }

  #copy(piece: Buffer, start: number, size: number): void {
    if (this.#slabEnd + size > this.#slab.length) {
      this.#seal();
      this.#dropSlab();
      this.#slab = Buffer.allocUnsafeSlow(Math.min(Math.max(this.#bytes, SLAB_BYTES_MIN), SLAB_BYTES_MAX));
    }
    piece.copy(this.#slab, this.#slabEnd, start);
    this.#slabEnd += size;
  }

  /** What was copied together becomes a piece; the rest of the slab serves on. */
  #seal(): void {
    if (this.#slabEnd === this.#slabStart) return;
    this.#pieces.push(this.#slab.subarray(this.#slabStart, this.#slabEnd));
    this.#slabStart = this.#slabEnd;
  }

  #dropSlab(): void {
    this.#slab = NONE;
    this.#slabStart = 0;
    this.#slabEnd = 0;
  }
}
