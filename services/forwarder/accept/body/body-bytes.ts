// The bytes of a body while they come. When a good part of a large body that says its size is there, it gets a buffer
// of that size, so that no second copy of it is made at the end. Other bodies are joined from their pieces.
//
// Guarantees: a body that is longer or shorter than it said is whole all the same (a function is handed bodies that no
// parser has measured); what is announced and does not come takes nothing.

import { BufferedPieces } from '#shared/msgpack/buffered-pieces.ts';
import { LARGE_BODY_BYTES } from '../turns/large-body-slots.ts';

/** Of what is announced, so much has come before memory is taken for all of it. */
const COME_SHARE = 1 / 4;

export class BodyBytes {
  readonly #pieces = new BufferedPieces();
  #announced: number;
  #whole: Buffer<ArrayBuffer> | null = null;
  #bytes = 0;

  /** @param announced bytes; 0: not known */
  constructor(announced: number) {
    this.#announced = announced > LARGE_BODY_BYTES ? announced : 0;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(piece: Buffer): void {
    const at = this.#bytes;
    this.#bytes += piece.length;
    if (this.#whole && this.#bytes <= this.#whole.length) {
      piece.copy(this.#whole, at);
      return;
    }
    if (this.#whole) {
      this.#pieces.hold(this.#whole.subarray(0, at), 0);
      this.#whole = null;
      this.#announced = 0;
    }
    this.#pieces.hold(piece, 0);
    const enough = Math.max(LARGE_BODY_BYTES, this.#announced * COME_SHARE);
    if (this.#announced > 0 && this.#bytes >= enough) this.#makeWhole();
  }

  /** All of them; nothing is added after it. */
  take(): Buffer {
    if (this.#whole) return this.#whole.subarray(0, this.#bytes);
    const pieces = this.#pieces.take();
    return pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces);
  }

  /** Gives the memory of a refused body back, as far as it is its own. */
  free(): void {
    this.#pieces.clear();
    this.#whole?.buffer.transfer(0);
    this.#whole = null;
    this.#announced = 0;
  }

  #makeWhole(): void {
    if (this.#bytes > this.#announced) {
      this.#announced = 0;
      return;
    }
    const whole = Buffer.allocUnsafeSlow(this.#announced);
    let at = 0;
    for (const piece of this.#pieces.take()) at += piece.copy(whole, at);
    this.#whole = whole;
  }
}
