// The bytes of a body while they come. A large body that says its size has a buffer of that size from the start: the
// kernel gives its pages as they are written, so a sender that announces much and sends little takes little, and no
// second copy is made at the end. Other bodies are joined from their pieces.

import { BufferedPieces } from '#shared/msgpack/buffered-pieces.ts';
import { LARGE_BODY_BYTES } from '../turns/large-body-slots.ts';

export class BodyBytes {
  readonly #whole: Buffer | null;
  readonly #pieces = new BufferedPieces();
  #bytes = 0;

  /** @param announced bytes, which are never exceeded; 0: not known */
  constructor(announced: number) {
    this.#whole = announced > LARGE_BODY_BYTES ? Buffer.allocUnsafeSlow(announced) : null;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(piece: Buffer): void {
    if (this.#whole) piece.copy(this.#whole, this.#bytes);
    else this.#pieces.hold(piece, 0);
    this.#bytes += piece.length;
  }

  /** All of them; nothing is added after it. */
  take(): Buffer {
    if (this.#whole) return this.#whole.subarray(0, this.#bytes);
    const pieces = this.#pieces.take();
    return pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces);
  }
}
