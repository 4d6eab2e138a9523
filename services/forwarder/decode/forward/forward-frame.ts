// Takes a whole frame of the Forward protocol apart, without decoding its entries: what it is, its tag, and where
// things lie. (https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1.5)
//
//   Message          [tag, time, record, option?]                   time may be [time, metadata] (v1.5)
//   Forward          [tag, [[time, record], …], option?]
//   PackedForward    [tag, bin | str of entries, option?]           option.compressed: gzip, zstd, text (none)
//   heartbeat        nil
//
// Guarantees: pure, never throws; the extents lie inside the frame; a Message's time is a time and its record a map.
// The entries of the other modes are not looked at: `countEntries` tells whether they are what they should be.

import { isUtf8 } from 'node:buffer';
import {
  containerChildren,
  containerHeaderSize,
  FIXED_SIZE,
  isArray,
  isMap,
  payloadHeaderSize,
  timeEnd,
  valueEnd,
} from '#shared/msgpack/extents.ts';
import { type Encoding, TAG_BYTES_MAX } from '#shared/record/record.ts';
import { decodeOption, type ForwardOption, NO_OPTION } from './forward-option.ts';

export interface ForwardFrame {
  readonly kind: 'message' | 'forward' | 'packed';
  /** Valid UTF-8, 1 to 1024 bytes. */
  readonly tag: string;
  /**
   * Where the run of entries lies in the frame. Of a message: its time and record, which become an entry with 0x92
   * before them.
   */
  readonly start: number;
  readonly end: number;
  /** How the run is compressed; `identity` but for `packed`. */
  readonly encoding: Encoding;
  /** The chunk id as msgpack, for the ack (forward-ack.ts); null where the sender wants none. */
  readonly chunk: Buffer | null;
  /** The chunk id itself, for the identity; null if it is absent or empty. */
  readonly chunkId: Buffer | null;
}

/** A frame that is no chunk of logs. `malformed`: can never be accepted. `signal`: metrics or traces. */
export type ForwardRefusal = Refused<'malformed'> | Refused<'signal'>;

interface Refused<K> {
  readonly kind: K;
  readonly why: string;
  /** Null if it is absent or invalid. */
  readonly tag: string | null;
  /** The chunk id, if it could be read, so that the sender can be told to forget the chunk. */
  readonly chunk: Buffer | null;
}

export interface Heartbeat {
  readonly kind: 'heartbeat';
}

const HEARTBEAT: Heartbeat = { kind: 'heartbeat' };
const ENCODINGS: ReadonlyMap<string, Encoding> = new Map([
  ['gzip', 'gzip'],
  ['zstd', 'zstd'],
  ['text', 'identity'],
]);

/** Keeps the text of the last tag, since most senders have but one. One for each connection. */
export class ForwardDecoder {
  #tagBytes: Buffer = Buffer.alloc(0);
  #tag = '';

  /** `frame`: one whole msgpack value, as the scanner cuts them. */
  decode(frame: Buffer): ForwardFrame | ForwardRefusal | Heartbeat {
    const type = frame[0] ?? 0;
    if (type === 0xc0 && frame.length === 1) return HEARTBEAT;
    if (!isArray(type)) return malformed('a frame is an array or nil');
    const elements = containerChildren(frame, 0, type);
    const tagAt = containerHeaderSize(type);
    if (elements < 2 || elements > 4) return malformed(`a frame has 2 to 4 elements, not ${elements}`);
    const bodyAt = valueEnd(frame, tagAt, frame.length);
    if (bodyAt < 0) return malformed('it is cut');

    // The element after the tag tells the mode.
    const bodyType = frame[bodyAt] ?? 0;
    if (isString(bodyType)) return this.#entries('packed', frame, elements, tagAt, bodyAt);
    if (isArray(bodyType) && timeEnd(frame, bodyAt, frame.length) < 0) {
      return this.#entries('forward', frame, elements, tagAt, bodyAt);
    }
    return this.#message(frame, elements, tagAt, bodyAt);
  }

  #message(frame: Buffer, elements: number, tagAt: number, timeAt: number): ForwardFrame | ForwardRefusal {
    const recordAt = timeEnd(frame, timeAt, frame.length);
    if (recordAt < 0) return malformed('what follows the tag is no time, no entries, and no array of entries');
    if (elements < 3) return malformed('a message has no record');
    // What is last ends where the frame does, which is whole: it need not be walked through again.
    const end = elements === 3 ? frame.length : valueEnd(frame, recordAt, frame.length);
    if (end < 0) return malformed('the record is cut');
    const option = optionAt(frame, end, elements === 4);
    const tag = this.#tagOf(frame, tagAt, timeAt);
    if (option === null) return malformed('its option is none', tag);
    if (!isMap(frame[recordAt] ?? 0)) return malformed('its record is no map', tag, option);
    return result({ kind: 'message', tag, start: timeAt, end, encoding: 'identity', option });
  }

  /** Forward and PackedForward: the run is what the body has behind its header. */
  #entries(
    kind: 'forward' | 'packed',
    frame: Buffer,
    elements: number,
    tagAt: number,
    bodyAt: number,
  ): ForwardFrame | ForwardRefusal {
    if (elements > 3) return malformed('entries are followed by an option at most');
    const end = elements === 2 ? frame.length : valueEnd(frame, bodyAt, frame.length);
    if (end < 0) return malformed('its entries are cut, or nested too deep');
    const option = optionAt(frame, end, elements > 2);
    const tag = this.#tagOf(frame, tagAt, bodyAt);
    if (option === null) return malformed('its option is none', tag);
    const encoding = kind === 'packed' ? encodingOf(option) : 'identity';
    if (encoding === undefined) return malformed('its compression is neither gzip nor zstd', tag, option);
    return result({ kind, tag, start: bodyAt + headerSize(frame[bodyAt] ?? 0), end, encoding, option });
  }

  /** Null where it is no valid tag. */
  #tagOf(frame: Buffer, at: number, end: number): string | null {
    const type = frame[at] ?? 0;
    if (!isString(type)) return null;
    const start = at + headerSize(type);
    const size = end - start;
    if (size === this.#tagBytes.length && size > 0 && this.#isLastTag(frame, start, size)) return this.#tag;
    if (size === 0 || size > TAG_BYTES_MAX) return null;
    const bytes = frame.subarray(start, end);
    if (!isUtf8(bytes)) return null;
    this.#tagBytes = Buffer.from(bytes);
    this.#tag = bytes.toString('utf8');
    return this.#tag;
  }

  #isLastTag(frame: Buffer, start: number, size: number): boolean {
    const last = this.#tagBytes;
    for (let i = 0; i < size; i += 1) if (frame[start + i] !== last[i]) return false;
    return true;
  }
}

interface FrameParts {
  readonly kind: ForwardFrame['kind'];
  readonly tag: string | null;
  readonly start: number;
  readonly end: number;
  readonly encoding: Encoding;
  readonly option: ForwardOption;
}

/** Undefined for an unknown one. */
export function encodingOf({ compressed }: ForwardOption): Encoding | undefined {
  return ENCODINGS.get(compressed ?? 'text');
}

/** Of a frame whose parts were found. */
export function result({ kind, tag, start, end, encoding, option }: FrameParts): ForwardFrame | ForwardRefusal {
  if (option.signal !== 0) {
    return { kind: 'signal', why: `its signal is ${option.signal}, not logs`, tag, chunk: option.chunk };
  }
  if (tag === null) return malformed(`its tag is no UTF-8 text of 1 to ${TAG_BYTES_MAX} bytes`, tag, option);
  return { kind, tag, start, end, encoding, chunk: option.chunk, chunkId: option.chunkId };
}

export function malformed(why: string, tag: string | null = null, option: ForwardOption = NO_OPTION): ForwardRefusal {
  return { kind: 'malformed', why, tag, chunk: option.chunk };
}

/** Null if it is missing although it must be there, or if the frame has bytes left over. */
function optionAt(frame: Buffer, at: number, isThere: boolean): ForwardOption | null {
  if (isThere) return decodeOption(frame, at, frame.length);
  return at === frame.length ? NO_OPTION : null;
}

/** A str or a bin. */
export function isString(type: number): boolean {
  return (type & 0xe0) === 0xa0 || (type >= 0xd9 && type <= 0xdb) || (type >= 0xc4 && type <= 0xc6);
}

/** Of a str, bin or array. */
export function headerSize(type: number): number {
  if (isArray(type)) return containerHeaderSize(type);
  return (FIXED_SIZE[type] ?? 0) === 0 ? payloadHeaderSize(type) : 1;
}

/** The frame with a chunk id of its own. */
export function withOwnId(frame: ForwardFrame): ForwardFrame {
  const { chunk, chunkId } = frame;
  return { ...frame, chunk: chunk && Buffer.from(chunk), chunkId: chunkId && Buffer.from(chunkId) };
}
