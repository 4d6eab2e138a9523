// Finds the end of a Forward frame that is larger than what is held, and what stands around its large element. The
// bytes themselves go by: whoever needs them keeps them.
//
//   9x | tag | entries, or a message's record | {…, "chunk": id}
//
// Guarantees: pure, never throws; holds at most one element of `ELEMENT_BYTES_MAX`.

import { isUtf8 } from 'node:buffer';
import {
  containerChildren,
  containerHeaderSize,
  DEPTH_MAX,
  isArray,
  MALFORMED,
  timeEnd,
} from '#shared/msgpack/extents.ts';
import {
  FRAME_MALFORMED,
  FRAME_PASSED,
  FRAME_TOO_LARGE,
  FrameScanner,
  NEED_MORE,
} from '#shared/msgpack/frame-scanner.ts';
import { MsgpackReader } from '#shared/msgpack/reader.ts';
import { TAG_BYTES_MAX } from '#shared/record/record.ts';
import { decodeOption, NO_OPTION, OPTION_BYTES_MAX } from './forward-option.ts';
import {
  encodingOf,
  type ForwardFrame,
  type ForwardRefusal,
  headerSize,
  isString,
  malformed,
  result,
} from './forward-frame.ts';

/** The most bytes of a tag, a time or an option; anything larger is none of them. */
const ELEMENT_BYTES_MAX = OPTION_BYTES_MAX;
/** So many bytes of the large element tell what it is: an array's header, a time, the first byte of its metadata. */
export const BODY_HEAD_BYTES = 5 + 11 + 1;

/** What is known when the end was found. */
export interface OversizedFrame {
  readonly kind: 'oversized';
  /** The size of the whole frame. */
  readonly bytes: number;
  readonly headerBytes: number;
  /** Tag, body, and what follows; null for those of more than `ELEMENT_BYTES_MAX`. */
  readonly elements: readonly (Buffer | null)[];
  /** The bytes that came behind the frame. */
  readonly rest: Buffer;
}

type Passing = OversizedFrame | typeof NEED_MORE | typeof FRAME_MALFORMED | typeof FRAME_TOO_LARGE;

export class FramePasser {
  readonly #scanner: FrameScanner;
  readonly #bytesMax: number;
  readonly #headerBytes: number;
  readonly #elements: (Buffer | null)[] = [];
  #elementsLeft: number;
  /** Bytes that came, those behind the frame among them. */
  #bytes = 0;

  /** `unread`: what came of the frame so far. Null where it is no Forward frame. */
  static of(unread: Buffer, bytesMax: number): FramePasser | null {
    const type = unread[0] ?? 0;
    if (!isArray(type) || unread.length < containerHeaderSize(type)) return null;
    const elements = containerChildren(unread, 0, type);
    return elements < 2 || elements > 4 ? null : new FramePasser(unread, elements, bytesMax);
  }

  private constructor(unread: Buffer, elements: number, bytesMax: number) {
    this.#elementsLeft = elements;
    this.#bytesMax = bytesMax;
    this.#headerBytes = containerHeaderSize(unread[0] ?? 0);
    this.#scanner = new FrameScanner({
      frameBytesMax: bytesMax,
      keepBytesMax: ELEMENT_BYTES_MAX,
      depthMax: DEPTH_MAX - 1,
    });
    this.#bytes = unread.length;
    this.#scanner.push(unread.subarray(this.#headerBytes));
  }

  get heldBytes(): number {
    return this.#scanner.heldBytes;
  }

  /** Bytes that came so far. */
  get bytes(): number {
    return this.#bytes;
  }

  push(piece: Buffer): void {
    this.#bytes += piece.length;
    this.#scanner.push(piece);
  }

  /** The frame when its end was found, or why there is none. */
  next(): Passing {
    while (this.#elementsLeft > 0) {
      const element = this.#scanner.next();
      if (element === NEED_MORE) return this.#bytes > this.#bytesMax ? FRAME_TOO_LARGE : NEED_MORE;
      if (element === FRAME_MALFORMED || element === FRAME_TOO_LARGE) return element;
      // A copy, for a view would keep its whole piece.
      this.#elements.push(element === FRAME_PASSED ? null : Buffer.from(element));
      this.#elementsLeft -= 1;
    }
    const rest = Buffer.concat(this.#scanner.takeUnread());
    const bytes = this.#bytes - rest.length;
    if (bytes > this.#bytesMax) return FRAME_TOO_LARGE;
    return { kind: 'oversized', bytes, headerBytes: this.#headerBytes, elements: this.#elements, rest };
  }
}

/** Where the large element begins, if that is the one behind the tag; else null: then it is no frame of entries. */
export function bodyStart({ headerBytes, elements }: OversizedFrame): number | null {
  const [tag, body] = elements;
  return tag && body === null ? headerBytes + tag.length : null;
}

/**
 * The frame of entries, as ForwardDecoder has it, but with positions in the whole frame; null where it is a message.
 * `bodyHead`: the first bytes of the large element.
 */
export function oversizedEntries(frame: OversizedFrame, bodyHead: Buffer): ForwardFrame | ForwardRefusal | null {
  const [tagElement, , ...behind] = frame.elements;
  const at = bodyStart(frame);
  if (!tagElement || at === null) return null;
  const type = bodyHead[0] ?? 0;
  const headerBytes = isString(type) || isArray(type) ? headerSize(type) : 0;
  // As ForwardDecoder tells them apart: whatever the first entry is, only a time with its metadata, which goes on, is
  // none.
  if (headerBytes === 0 || (isArray(type) && timeEnd(bodyHead, 0, bodyHead.length) !== MALFORMED)) return null;
  if (behind.length > 1) return malformed('entries are followed by an option at most');
  const tag = tagOf(tagElement);
  const [element] = behind;
  const option = element ? decodeOption(element, 0, element.length) : element === null ? null : NO_OPTION;
  if (option === null) return malformed('its option is none', tag);
  const kind = isArray(type) ? 'forward' : 'packed';
  const encoding = kind === 'packed' ? encodingOf(option) : 'identity';
  if (encoding === undefined) return malformed('its compression is neither gzip nor zstd', tag, option);
  const end = frame.bytes - (element?.length ?? 0);
  return result({ kind, tag, start: at + headerBytes, end, encoding, option });
}

/** What a message that is too large can still be answered by. */
export function aroundMessage({ elements }: OversizedFrame): { tag: string | null; chunk: Buffer | null } {
  const [tag] = elements;
  const last = elements.at(-1);
  const option = elements.length > 2 && last ? decodeOption(last, 0, last.length) : null;
  return { tag: tag ? tagOf(tag) : null, chunk: option?.chunk ?? null };
}

function tagOf(element: Buffer): string | null {
  const bytes = new MsgpackReader(element).bytes();
  if (!bytes || bytes.length === 0 || bytes.length > TAG_BYTES_MAX || !isUtf8(bytes)) return null;
  return bytes.toString('utf8');
}
