// The bytes of a body while they come. When a good part of a large body that says its size is there, it gets a buffer
// of that size, so that no second copy of it is made at the end. Other bodies are joined from their pieces.
//
// The parser makes each piece for its body alone, of 64 KiB at most, in the allocator's heap, which has some 130 MiB
// for ever once bodies of 48 MiB came at the same time: it gives back only its end. So pieces are put together soon,
// where they are mapped for themselves, and freed at once.
//
// Guarantees: a body that is longer or shorter than it said is whole all the same (a function is handed bodies that no
// parser has measured); what is announced and does not come takes nothing.

import { freeOwn } from '#shared/memory/free-buffer.ts';
import { BufferedPieces } from '#shared/msgpack/buffered-pieces.ts';
import { LARGE_BODY_BYTES } from '../turns/large-body-slots.ts';

/** Of what is announced, so much has come before memory is taken for all of it. */
const COME_SHARE = 1 / 4;
/** Pieces of so many bytes are put together. */
const RUN_BYTES = 1024 * 1024;
/** What the parser reads at once. A function is handed the whole of a body, which is not ours. */
const PIECE_BYTES_MAX = 64 * 1024;

export class BodyBytes {
  /** Whole runs, and the pieces of the next one. */
  #runs: Buffer[] = [];
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

  /** Of a piece that has its buffer to itself nothing is left. */
  add(piece: Buffer): void {
    const at = this.#bytes;
    this.#bytes += piece.length;
    if (this.#whole && this.#bytes <= this.#whole.length) {
      piece.copy(this.#whole, at);
      freePiece(piece);
      return;
    }
    if (this.#whole) {
      this.#runs.push(this.#whole.subarray(0, at));
      this.#whole = null;
      this.#announced = 0;
    }
    this.#pieces.hold(piece, 0);
    const enough = Math.max(LARGE_BODY_BYTES, this.#announced * COME_SHARE);
    if (this.#announced > 0 && this.#bytes >= enough) this.#makeWhole();
    else if (this.#pieces.bytes >= RUN_BYTES) this.#runs.push(this.#joinPieces());
  }

  /** All of them; nothing is added after it. */
  take(): Buffer {
    if (this.#whole) return this.#whole.subarray(0, this.#bytes);
    if (this.#runs.length > 0) return this.#join(this.#bytes);
    const pieces = this.#pieces.take();
    return pieces.length === 1 && pieces[0] ? pieces[0] : join(pieces, this.#bytes, freePiece);
  }

  /** Gives the memory of a refused body back, as far as it is its own. */
  free(): void {
    for (const run of this.#runs) freeOwn(run);
    this.#runs = [];
    this.#pieces.clear();
    this.#whole?.buffer.transfer(0);
    this.#whole = null;
    this.#announced = 0;
  }

  #makeWhole(): void {
    if (this.#bytes > this.#announced) this.#announced = 0;
    else this.#whole = this.#join(this.#announced);
  }

  #join(size: number): Buffer<ArrayBuffer> {
    const runs = this.#runs;
    if (this.#pieces.bytes > 0) runs.push(this.#joinPieces());
    this.#runs = [];
    return join(runs, size, freeOwn);
  }

  #joinPieces(): Buffer<ArrayBuffer> {
    const { bytes } = this.#pieces;
    return join(this.#pieces.take(), bytes, freePiece);
  }
}

/** In a buffer of that size to itself, of which the rest is left as it is. */
function join(pieces: readonly Buffer[], size: number, free: (piece: Buffer) => void): Buffer<ArrayBuffer> {
  const joined = Buffer.allocUnsafeSlow(size);
  let at = 0;
  for (const piece of pieces) {
    at += piece.copy(joined, at);
    free(piece);
  }
  return joined;
}

function freePiece(piece: Buffer): void {
  const { byteLength } = piece.buffer;
  if (byteLength === piece.length && byteLength <= PIECE_BYTES_MAX) freeOwn(piece);
}
