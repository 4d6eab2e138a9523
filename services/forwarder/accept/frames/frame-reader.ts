// Cuts what a connection sends into frames, in whichever form it speaks: msgpack, or JSON, which its first byte tells.
// A frame that is larger than what is held goes to a file as it comes.
//
// Guarantees: after FRAME_MALFORMED, FRAME_TOO_LARGE or FRAME_UNKEPT nothing else comes; what is held is bounded by the
// limit.

import { FRAME_MALFORMED, FRAME_TOO_LARGE, FrameScanner, NEED_MORE } from '#shared/msgpack/frame-scanner.ts';
import { isJsonMode, JsonScanner } from '../../decode/forward/json-mode.ts';
import { FramePasser, type OversizedFrame } from '../../decode/forward/oversized-frame.ts';
import { FrameFile } from './frame-file.ts';
import type { FrameFiles } from './frame-files.ts';

export interface FrameReaderOptions {
  /** Largest frame that may be held in memory. */
  readonly frameBytesMax: number;
  /** For larger ones; absent, or switched off: they are refused. */
  readonly files?: FrameFiles | undefined;
  /** Of the peer; absent where there are no files. */
  readonly network?: string;
}

/** Too large to be held, and no file takes it now. */
export const FRAME_UNKEPT = 4;

/** A whole frame that was too large to be held. Whoever takes it disposes of its file. */
export interface FiledFrame {
  readonly frame: OversizedFrame;
  readonly file: FrameFile;
}

export type NextFrame =
  Buffer | FiledFrame | typeof NEED_MORE | typeof FRAME_MALFORMED | typeof FRAME_TOO_LARGE | typeof FRAME_UNKEPT;

/** So much of a frame in a file is progress. */
const PROGRESS_BYTES = 256 * 1024;

export class FrameReader {
  readonly #options: FrameReaderOptions;
  readonly #files: FrameFiles | null;
  #scanner: FrameScanner | JsonScanner;
  #passer: FramePasser | null = null;
  #file: FrameFile | null = null;
  #isStarted = false;
  #frames = 0;
  /** Bytes that were pushed, ever: what the socket has read of a paused connection is not among them. */
  bytesTaken = 0;
  isJson = false;

  constructor(options: FrameReaderOptions) {
    this.#options = options;
    this.#files = options.files && !options.files.isOff ? options.files : null;
    const frameBytesMax = Math.min(options.frameBytesMax, this.#files?.memoryBytesMax ?? Infinity);
    this.#scanner = new FrameScanner({ frameBytesMax });
  }

  /** Bytes that are held: of an unfinished frame, and what is not read yet. */
  get heldBytes(): number {
    return this.#passer ? this.#passer.heldBytes + (this.#file?.heldBytes ?? 0) : this.#scanner.heldBytes;
  }

  get isInFrame(): boolean {
    return this.#passer !== null || this.#scanner.heldBytes > 0;
  }

  /**
   * Rises with each frame, and with each good piece of a frame that is large; for who asks whether there is progress.
   */
  get progress(): number {
    return this.#frames + Math.floor((this.#passer?.bytes ?? 0) / PROGRESS_BYTES);
  }

  /** What to wait for before more is pushed; null: nothing. Never rejects. */
  get backlog(): Promise<void> | null {
    return this.#file?.backlog() ?? null;
  }

  /** Why no file takes the frame, after FRAME_UNKEPT. */
  get failure(): string {
    return this.#file?.failure ?? 'there is none';
  }

  push(piece: Buffer): void {
    this.bytesTaken += piece.length;
    if (!this.#isStarted && piece.length > 0) this.#start(piece[0] ?? 0);
    (this.#passer ?? this.#scanner).push(piece);
    if (this.#passer) this.#unfiled = piece;
  }

  /** The next frame, or why there is none. */
  next(): NextFrame {
    if (this.#passer) return this.#pass(this.#passer);
    const frame = this.#scanner.next();
    if (Buffer.isBuffer(frame)) {
      this.#frames += 1;
      return frame;
    }
    if (frame === NEED_MORE) return NEED_MORE;
    if (frame !== FRAME_TOO_LARGE) return FRAME_MALFORMED;
    if (!(this.#scanner instanceof FrameScanner) || !this.#files) return FRAME_TOO_LARGE;
    const unread = Buffer.concat(this.#scanner.takeUnread());
    this.#passer = FramePasser.of(unread, this.#files.frameBytesMax);
    if (!this.#passer) return FRAME_TOO_LARGE;
    this.#file = new FrameFile(this.#files, this.#options.network ?? '');
    this.#unfiled = unread;
    return this.#pass(this.#passer);
  }

  /** What came of a frame is of no use. */
  abandon(): void {
    void this.#file?.[Symbol.asyncDispose]().catch(() => undefined);
    this.#file = null;
  }

  /** Came, and is not in the file yet, for the frame may end in it. */
  #unfiled: Buffer = Buffer.alloc(0);

  #pass(passer: FramePasser): NextFrame {
    const file = this.#file;
    if (!file || file.failure !== null) return FRAME_UNKEPT;
    const passed = passer.next();
    if (typeof passed === 'number' && passed !== NEED_MORE) return passed;
    const rest = typeof passed === 'number' ? 0 : passed.rest.length;
    file.write(this.#unfiled.subarray(0, this.#unfiled.length - rest));
    this.#unfiled = Buffer.alloc(0);
    if (typeof passed === 'number') return file.failure === null ? NEED_MORE : FRAME_UNKEPT;
    this.#frames += 1;
    this.#passer = null;
    this.#file = null;
    this.#scanner.push(passed.rest);
    return { frame: passed, file };
  }

  #start(firstByte: number): void {
    this.#isStarted = true;
    this.isJson = isJsonMode(firstByte);
    if (this.isJson) this.#scanner = new JsonScanner(this.#options);
  }
}
