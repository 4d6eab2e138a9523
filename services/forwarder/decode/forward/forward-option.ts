// The last element of a Forward frame: {size, chunk, compressed, fluent_signal, …}, or nil. Only three of its keys mean
// anything here; `size` is a hint that senders get wrong, and whatever else is there is passed over.
//
// Guarantees: pure, never throws; of a key that comes twice, the last one counts; a larger one costs no more than a
// look at its size.

import { isMap } from '#shared/msgpack/extents.ts';
import { MsgpackReader } from '#shared/msgpack/reader.ts';

export interface ForwardOption {
  /** The chunk id as msgpack with its header, so that it can be returned byte for byte; null if there is none. */
  readonly chunk: Buffer | null;
  /** The chunk id itself; null if it is absent or empty: an empty one names nothing. */
  readonly chunkId: Buffer | null;
  readonly compressed: string | null;
  /** 0: logs. Else metrics, traces, or what is yet to be invented. */
  readonly signal: number;
}

export const NO_OPTION: ForwardOption = { chunk: null, chunkId: null, compressed: null, signal: 0 };

/** Senders need a hundred bytes. More would be walked key by key in one go, though one key is all that counts. */
export const OPTION_BYTES_MAX = 4096;
/** Longer chunk ids, or words, are not from this world. */
const WORD_BYTES_MAX = 1024;

/** Null where what lies between `start` and `end` is neither an option of `OPTION_BYTES_MAX` at most nor nil. */
export function decodeOption(frame: Buffer, start: number, end: number): ForwardOption | null {
  if (start >= end || end - start > OPTION_BYTES_MAX) return null;
  const type = frame[start] ?? 0;
  if (type === 0xc0) return start + 1 === end ? NO_OPTION : null;
  if (!isMap(type)) return null;
  const reader = new MsgpackReader(frame, start, end);
  const pairs = reader.mapHeader() ?? 0;
  const option: Draft = { ...NO_OPTION };
  for (let pair = 0; pair < pairs; pair += 1) {
    const key = reader.bytes();
    if (key === undefined && !reader.skip()) return null;
    if (!decodeValue(key === undefined ? '' : nameOf(key), reader, frame, option)) return null;
  }
  return reader.done ? option : null;
}

type Draft = { -readonly [K in keyof ForwardOption]: ForwardOption[K] };

/** No text is made of keys that are passed over. */
function nameOf(key: Buffer): string {
  return key.length === 5 || key.length === 10 || key.length === 13 ? key.toString('latin1') : '';
}

function decodeValue(name: string, reader: MsgpackReader, frame: Buffer, option: Draft): boolean {
  if (reader.nil()) return true;
  const start = reader.position;
  switch (name) {
    case 'chunk': {
      const chunkId = reader.bytes();
      if (chunkId === undefined || chunkId.length > WORD_BYTES_MAX) return false;
      option.chunk = frame.subarray(start, reader.position);
      option.chunkId = chunkId.length > 0 ? chunkId : null;
      return true;
    }
    case 'compressed': {
      const compressed = reader.bytes();
      if (compressed === undefined || compressed.length > WORD_BYTES_MAX) return false;
      option.compressed = compressed.toString('latin1');
      return true;
    }
    case 'fluent_signal': {
      const signal = reader.safeInteger();
      if (signal === undefined) return false;
      option.signal = signal;
      return true;
    }
    default:
      return reader.skip();
  }
}
