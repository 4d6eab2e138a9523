// GELF over TCP: JSON texts, each ended by a NUL. Of a text longer than `messageBytesMax`, `too_large` gives the
// beginning, and the rest is skipped.
//
// Guarantees: total; holds no more than a message and the last push; never reads a byte twice. What `next` gives is
// valid until the next call of `push`.

import { StreamFrames } from '../stream-frames.ts';

/** `more`: there is nothing to give until the next push. */
export type GelfFrameKind = 'more' | 'whole' | 'too_large';

const NUL = 0;

export class GelfFrames extends StreamFrames {
  readonly #messageBytesMax: number;
  #isPassingOver = false;
  #start = 0;
  #end = 0;

  constructor(messageBytesMax: number) {
    super();
    this.#messageBytesMax = messageBytesMax;
  }

  /** What `next` gave, uncopied. */
  get message(): Buffer {
    return this.stream.bytes.subarray(this.#start, this.#end);
  }

  /** @param messageBytesMax less than else where memory is short */
  next(messageBytesMax = this.#messageBytesMax): GelfFrameKind {
    for (;;) {
      const stream = this.stream;
      const { from, to } = stream;
      const at = stream.indexOf(NUL, this.searched);
      const isEnded = at >= 0;
      const end = isEnded ? at : to;
      this.searched = isEnded ? at + 1 : to;
      const isWhole = isEnded || (this.hasEnded && end > from);
      if (this.#isPassingOver) {
        stream.from = this.searched;
        this.#isPassingOver = !isWhole;
        if (!isEnded) return this.pause();
      } else if (end - from > messageBytesMax) {
        this.#isPassingOver = !isWhole;
        return this.#give(end, 'too_large');
      } else if (!isWhole) {
        return this.pause();
      } else if (end > from) {
        return this.#give(end, 'whole');
      } else {
        stream.from = this.searched;
      }
    }
  }

  #give(end: number, kind: GelfFrameKind): GelfFrameKind {
    this.#start = this.stream.from;
    this.#end = end;
    this.stream.from = this.searched;
    return kind;
  }
}
