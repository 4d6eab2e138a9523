// The frames of one Forward connection: msgpack or JSON, as its first byte tells, and frames larger than the limit passed over rather
// than held, so that their senders can be told to forget them.

import { FRAME_MALFORMED, FRAME_TOO_LARGE, FrameScanner, NEED_MORE } from '#shared/msgpack/frame-scanner.ts';
import { isJsonMode, JsonScanner } from '../decode/json-mode.ts';
import { FramePasser, type OversizedFrame } from '../decode/oversized-frame.ts';

interface FrameReaderOptions {
  readonly frameBytesMax: number;
}

export type NextFrame = Buffer | OversizedFrame | typeof NEED_MORE | typeof FRAME_MALFORMED | typeof FRAME_TOO_LARGE;

export class FrameReader {
  readonly #options: FrameReaderOptions;
  #scanner: FrameScanner | JsonScanner;
  #passer: FramePasser | null = null;
  #begun = false;
  isJson = false;
  /** Frames that came, for who asks whether there is progress. */
  count = 0;

  constructor(options: FrameReaderOptions) {
    this.#options = options;
    this.#scanner = new FrameScanner(options);
  }

  /** Bytes that are held: of an unfinished frame, and what is not read yet. */
  get heldBytes(): number {
    return this.#passer ? this.#passer.heldBytes : this.#scanner.heldBytes;
  }

  push(piece: Buffer): void {
    if (!this.#begun && piece.length > 0) this.#begin(piece[0] ?? 0);
    (this.#passer ?? this.#scanner).push(piece);
  }

  /** The next frame, or why there is none. After FRAME_MALFORMED or FRAME_TOO_LARGE nothing else comes. */
  next(): NextFrame {
    if (this.#passer) return this.#pass(this.#passer);
    const frame = this.#scanner.next();
    if (Buffer.isBuffer(frame)) {
      this.count += 1;
      return frame;
    }
    if (frame === NEED_MORE) return NEED_MORE;
    if (frame !== FRAME_TOO_LARGE) return FRAME_MALFORMED;
    if (!(this.#scanner instanceof FrameScanner)) return FRAME_TOO_LARGE;
    this.#passer = FramePasser.of(this.#scanner.takeUnread());
    return this.#passer ? this.#pass(this.#passer) : FRAME_TOO_LARGE;
  }

  #pass(passer: FramePasser): NextFrame {
    const passed = passer.next();
    if (typeof passed === 'number') return passed;
    this.count += 1;
    this.#passer = null;
    this.#scanner.push(passed.rest);
    return passed;
  }

  #begin(firstByte: number): void {
    this.#begun = true;
    this.isJson = isJsonMode(firstByte);
    if (this.isJson) this.#scanner = new JsonScanner(this.#options);
  }
}
