// A request whose body comes in pieces as large as they were read. Node hands out each piece of a chunked body
// separately: one read of 64 KiB in chunks of one byte became 11,000 buffers, each of which costs a hundred times its
// byte while it waits.
//
// Guarantees: small pieces of one read become one piece, or a few; nothing waits for the next read; a stream that is
// full says so.

import { IncomingMessage } from 'node:http';
import { BufferedPieces } from '../msgpack/buffered-pieces.ts';

const SMALL_BYTES = 2048;

export class GatheringRequest extends IncomingMessage {
  /** A small piece alone, as most bodies are: not copied. */
  #first: Buffer | null = null;
  readonly #held = new BufferedPieces();

  override push(piece: unknown, encoding?: BufferEncoding): boolean {
    if (!Buffer.isBuffer(piece) || piece.length === 0 || piece.length >= SMALL_BYTES) {
      this.#flush();
      return super.push(piece, encoding);
    }
    if (this.#held.bytes > 0) {
      this.#held.hold(piece, 0);
    } else if (this.#first) {
      this.#held.hold(this.#first, 0);
      this.#held.hold(piece, 0);
      this.#first = null;
    } else {
      this.#first = piece;
      // The parser is through with what was read by then; ticks run between any two of its pieces.
      setImmediate(() => this.#flush());
    }
    const bytes = this.readableLength + this.#held.bytes;
    return bytes < this.readableHighWaterMark;
  }

  #flush(): void {
    const pieces = this.#first ? [this.#first] : this.#held.take();
    this.#first = null;
    if (this.destroyed) return;
    for (const piece of pieces) super.push(piece);
  }
}
