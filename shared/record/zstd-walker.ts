// Tells whether zstd frames that come in slices end where a frame ends, without decompressing them: Node's decoder
// takes the first bytes of a frame for nothing, and says no word. For what lies in one piece there is zstd-frames.ts,
// with the layout (RFC 8878, 3.1).
//
// Guarantees: pure, never throws, looks only at headers, holds at most one.

const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const RUN_BLOCK = 1;
/** Magic and descriptor. A skippable frame has its size behind the magic. */
const FRAME_HEAD_BYTES = 5;
const SKIPPABLE_HEAD_BYTES = 8;
const BLOCK_HEAD_BYTES = 3;

export class ZstdWalker {
  #state: 'frame' | 'block' | 'lost' = 'frame';
  readonly #head = Buffer.alloc(SKIPPABLE_HEAD_BYTES);
  #headBytes = 0;
  /** Bytes that no header is in. */
  #skip = 0;
  #checksumBytes = 0;
  #frames = 0;

  /** Whether what came so far is one frame or more, and nothing else. */
  get isWhole(): boolean {
    return this.#state === 'frame' && this.#headBytes === 0 && this.#skip === 0 && this.#frames > 0;
  }

  push(slice: Buffer): void {
    for (let at = 0; at < slice.length && this.#state !== 'lost';) {
      if (this.#skip > 0) {
        const passed = Math.min(this.#skip, slice.length - at);
        this.#skip -= passed;
        at += passed;
        continue;
      }
      this.#head[this.#headBytes] = slice[at] ?? 0;
      this.#headBytes += 1;
      at += 1;
      if (this.#state === 'block') this.#block();
      else this.#frame();
    }
  }

  #frame(): void {
    if (this.#headBytes < 4) return;
    const magic = this.#head.readUInt32LE(0);
    if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) {
      if (this.#headBytes < SKIPPABLE_HEAD_BYTES) return;
      this.#frames += 1;
      this.#go('frame', this.#head.readUInt32LE(4));
    } else if (magic !== MAGIC) {
      this.#state = 'lost';
    } else if (this.#headBytes === FRAME_HEAD_BYTES) {
      const descriptor = this.#head[4] ?? 0;
      const isSingleSegment = (descriptor & 0x20) !== 0;
      const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
      const sizeFlag = descriptor >>> 6;
      const sizeBytes = sizeFlag === 0 ? (isSingleSegment ? 1 : 0) : 1 << sizeFlag;
      this.#checksumBytes = (descriptor & 4) === 0 ? 0 : 4;
      this.#frames += 1;
      this.#go('block', (isSingleSegment ? 0 : 1) + dictionaryBytes + sizeBytes);
    }
  }

  #block(): void {
    if (this.#headBytes < BLOCK_HEAD_BYTES) return;
    const head = this.#head.readUIntLE(0, 3);
    const size = ((head >>> 1) & 3) === RUN_BLOCK ? 1 : head >>> 3;
    if ((head & 1) === 1) this.#go('frame', size + this.#checksumBytes);
    else this.#go('block', size);
  }

  #go(state: 'frame' | 'block', skip: number): void {
    this.#state = state;
    this.#headBytes = 0;
    this.#skip = skip;
  }
}
