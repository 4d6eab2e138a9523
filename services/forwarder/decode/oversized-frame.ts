// Passes over a Forward frame that is larger than what is taken, holding none of it but what its sender must hear of and what an
// operator wants to see: the first bytes, the tag, and the chunk id, which stands in the option behind the large element.
//
//   9x | tag | entries, let go as they come | {…, "chunk": id}
//
// Guarantees: pure, never throws; holds at most the head and one element of `OPTION_BYTES_MAX`.

import { isUtf8 } from 'node:buffer';
import { containerChildren, containerHeaderSize, DEPTH_MAX, isArray } from '#shared/msgpack/extents.ts';
import {
  FRAME_MALFORMED,
  FRAME_PASSED,
  FRAME_TOO_LARGE,
  FrameScanner,
  NEED_MORE,
} from '#shared/msgpack/frame-scanner.ts';
import { MsgpackReader } from '#shared/msgpack/reader.ts';
import { TAG_BYTES_MAX } from '#shared/record/record.ts';
import { decodeOption } from './forward-option.ts';

/** Beyond this the connection is not worth reading on. */
const PASSED_BYTES_MAX = 512 * 1024 * 1024;
const HEAD_BYTES_MAX = 64 * 1024;
const OPTION_BYTES_MAX = 4096;

export interface OversizedFrame {
  readonly kind: 'oversized';
  /** Of the whole frame. */
  readonly bytes: number;
  /** Its first 64 KiB. */
  readonly head: Buffer;
  /** Null where there is none that is valid. */
  readonly tag: string | null;
  /** The chunk id as msgpack, for the ack; null where the sender wants none. */
  readonly chunk: Buffer | null;
  /** What came behind the frame. */
  readonly rest: Buffer;
}

type Passing = OversizedFrame | typeof NEED_MORE | typeof FRAME_MALFORMED | typeof FRAME_TOO_LARGE;

export class FramePasser {
  readonly #scanner: FrameScanner;
  #elementsLeft = 0;
  #isFirst = true;
  #tag: string | null = null;
  #last: Buffer | null = null;
  #head: Buffer[] = [];
  #headBytes = 0;
  /** Bytes that came, those behind the frame among them. */
  #bytes = 0;

  /** `unread`: what came of the frame so far. Null where it is no Forward frame. */
  static of(unread: readonly Buffer[]): FramePasser | null {
    const bytes = Buffer.concat(unread);
    const type = bytes[0] ?? 0;
    if (!isArray(type) || bytes.length < containerHeaderSize(type)) return null;
    const elements = containerChildren(bytes, 0, type);
    return elements < 2 || elements > 4 ? null : new FramePasser(bytes, elements, containerHeaderSize(type));
  }

  private constructor(bytes: Buffer, elements: number, headerBytes: number) {
    this.#elementsLeft = elements;
    this.#scanner = new FrameScanner({
      frameBytesMax: PASSED_BYTES_MAX,
      keepBytesMax: OPTION_BYTES_MAX,
      depthMax: DEPTH_MAX - 1,
    });
    this.#take(bytes);
    this.#scanner.push(bytes.subarray(headerBytes));
  }

  get heldBytes(): number {
    return this.#headBytes + this.#scanner.heldBytes;
  }

  push(piece: Buffer): void {
    this.#take(piece);
    this.#scanner.push(piece);
  }

  /** The frame when its end was found, or why there is none. */
  next(): Passing {
    while (this.#elementsLeft > 0) {
      const element = this.#scanner.next();
      if (element === NEED_MORE) return this.#bytes > PASSED_BYTES_MAX ? FRAME_TOO_LARGE : NEED_MORE;
      if (element === FRAME_MALFORMED || element === FRAME_TOO_LARGE) return element;
      this.#last = element === FRAME_PASSED ? null : element;
      if (this.#isFirst) this.#tag = this.#last && tagOf(this.#last);
      this.#isFirst = false;
      this.#elementsLeft -= 1;
    }
    const rest = Buffer.concat(this.#scanner.takeUnread());
    const option = this.#last && decodeOption(this.#last, 0, this.#last.length);
    return {
      kind: 'oversized',
      bytes: this.#bytes - rest.length,
      head: Buffer.concat(this.#head),
      tag: this.#tag,
      chunk: option?.chunk ?? null,
      rest,
    };
  }

  #take(piece: Buffer): void {
    this.#bytes += piece.length;
    if (this.#headBytes >= HEAD_BYTES_MAX) return;
    // A copy, for a view would keep its whole piece.
    const part = Buffer.from(piece.subarray(0, HEAD_BYTES_MAX - this.#headBytes));
    this.#head.push(part);
    this.#headBytes += part.length;
  }
}

function tagOf(element: Buffer): string | null {
  const bytes = new MsgpackReader(element).bytes();
  if (!bytes || bytes.length === 0 || bytes.length > TAG_BYTES_MAX || !isUtf8(bytes)) return null;
  return bytes.toString('utf8');
}
