// An application/msgpack body to entries. The body is one or more values, one after another; each is
//
//   <map>                                        a record
//   [<map>, [<time>, <map>], …]                  records and entries (as fluentd's in_http takes them)
//   [<time>, <map>]                              an entry
//   [[<time>, <map>], <map>]                     an entry of Forward protocol v1.5; fluent-bit's `http` output sends
//                                                them one after another. It is a list of an entry and a
//                                                record only if the time is a plain number and the first
//                                                map is not empty
//
// Values are only measured; a record's bytes pass on as they came, less a numeric `time` at its top (see
// json-entries.ts).

import {
  FIXED_SIZE,
  INCOMPLETE,
  MALFORMED,
  containerChildren,
  containerHeaderSize,
  entryEnd,
  isArray,
  isMap,
  timeEnd,
  valueEnd,
} from '#shared/msgpack/extents.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import type { EventTime } from '#shared/record/event-time.ts';
import { eventsMaxOf, refuseExcess } from '#shared/record/event-limit.ts';
import type { EntriesOptions, HttpEntries } from './http-entries.ts';

const TIME_KEY = Buffer.from([0xa4, ...Buffer.from('time')]);
const SECONDS_MAX = 0xffffffff;

export function msgpackEntries(body: Uint8Array, options: EntriesOptions): HttpEntries {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
  const entries = new MsgpackEntries(bytes, options);
  let at = 0;
  while (at < bytes.length) {
    const next = entries.value(at);
    if (typeof next !== 'number') return next;
    at = next;
  }
  return entries.done();
}

/** Collects the entries of one body. Its methods return the position after what they took, or the body's refusal. */
class MsgpackEntries {
  readonly #bytes: Buffer;
  readonly #options: EntriesOptions;
  readonly #writer: MsgpackWriter;
  #count = 0;
  readonly #countMax: number;

  constructor(bytes: Buffer, options: EntriesOptions) {
    this.#bytes = bytes;
    this.#options = options;
    this.#writer = new MsgpackWriter(bytes.length + 64);
    this.#countMax = eventsMaxOf(bytes.length);
  }

  value(at: number): number | HttpEntries {
    const bytes = this.#bytes;
    const type = bytes[at] ?? 0;
    if (!isArray(type)) return this.#record(at);
    const first = at + containerHeaderSize(type);
    const firstType = bytes[first] ?? 0;
    if (first >= bytes.length || isMap(firstType) || containerChildren(bytes, at, type) === 0)
      return this.#list(at, type);
    return !isArray(firstType) || this.#hasMetadata(at, first) ? this.#entry(at) : this.#list(at, type);
  }

  /**
   * Whether the array at `at`, whose first element is an array too, is `[[time, metadata], record]` rather than a list
   * of two.
   */
  #hasMetadata(at: number, first: number): boolean {
    const bytes = this.#bytes;
    if (entryEnd(bytes, at, bytes.length) < 0 || entryEnd(bytes, first, bytes.length) < 0) return false;
    const timeAt = first + containerHeaderSize(bytes[first] ?? 0);
    const metadataAt = timeEnd(bytes, timeAt, bytes.length);
    return isEventTime(bytes[timeAt] ?? 0) || containerChildren(bytes, metadataAt, bytes[metadataAt] ?? 0) === 0;
  }

  done(): HttpEntries {
    return { kind: 'entries', bytes: this.#writer.view(), count: this.#count };
  }

  #list(start: number, type: number): number | HttpEntries {
    let at = start + containerHeaderSize(type);
    if (at > this.#bytes.length) return this.#malformed(start, INCOMPLETE, '');
    for (let left = containerChildren(this.#bytes, start, type); left > 0; left -= 1) {
      const next = isArray(this.#bytes[at] ?? 0) ? this.#entry(at) : this.#record(at);
      if (typeof next !== 'number') return next;
      at = next;
    }
    return at;
  }

  #entry(at: number): number | HttpEntries {
    const end = entryEnd(this.#bytes, at, this.#bytes.length);
    if (end < 0) return this.#malformed(at, end, 'an entry has to be [time, map]');
    this.#writer.raw(this.#bytes, at, end);
    return this.#counted(end);
  }

  #record(at: number): number | HttpEntries {
    const bytes = this.#bytes;
    const type = bytes[at] ?? 0;
    if (at >= bytes.length) return this.#malformed(at, INCOMPLETE, '');
    if (!isMap(type)) return this.#malformed(at, MALFORMED, 'a record has to be a map');
    const end = valueEnd(bytes, at, bytes.length);
    if (end < 0) return this.#malformed(at, end, 'a value is none, or nests too deep');
    const timeAt = this.#options.takeTime ? this.#timeAt(at, type) : -1;
    const time = timeAt < 0 ? null : timeOfNumber(bytes, timeAt + TIME_KEY.length);
    const { seconds, nanoseconds } = time ?? this.#options.time;
    const writer = this.#writer;
    writer.arrayHeader(2);
    writer.eventTime(seconds, nanoseconds);
    if (time) {
      writer.mapHeader(containerChildren(bytes, at, type) / 2 - 1);
      writer.raw(bytes, at + containerHeaderSize(type), timeAt);
      writer.raw(bytes, timeEnd(bytes, timeAt + TIME_KEY.length, end), end);
    } else {
      writer.raw(bytes, at, end);
    }
    return this.#counted(end);
  }

  /** Where the key `time` of the map lies, or -1. The map has been measured. */
  #timeAt(start: number, type: number): number {
    const bytes = this.#bytes;
    let at = start + containerHeaderSize(type);
    for (let left = containerChildren(bytes, start, type); left > 0; left -= 2) {
      if (bytes[at] === TIME_KEY[0] && bytes.compare(TIME_KEY, 0, TIME_KEY.length, at, at + TIME_KEY.length) === 0)
        return at;
      at = valueEnd(bytes, valueEnd(bytes, at, bytes.length), bytes.length);
    }
    return -1;
  }

  #counted(end: number): number | HttpEntries {
    this.#count += 1;
    if (this.#count > this.#countMax) refuseExcess({ count: this.#count, bytes: this.#bytes.length });
    return this.#writer.length > this.#options.bytesMax ? { kind: 'too_large' } : end;
  }

  #malformed(at: number, cause: number, why: string): HttpEntries {
    return cause === INCOMPLETE
      ? { kind: 'malformed', at: this.#bytes.length, why: 'it ends inside a value' }
      : { kind: 'malformed', at, why };
  }
}

/** An ext of eight bytes, as a time's first byte. */
function isEventTime(type: number): boolean {
  return type === 0xd7 || type === 0xc7;
}

/** Seconds since the epoch where an integer or a float of them lies at `at`, else null. */
function timeOfNumber(bytes: Buffer, at: number): EventTime | null {
  const seconds = numberAt(bytes, at);
  if (!(seconds >= 0 && seconds <= SECONDS_MAX)) return null;
  const whole = Math.floor(seconds);
  return { seconds: whole, nanoseconds: Math.min(999_999_999, Math.round((seconds - whole) * 1e9)) };
}

/** NaN for what is no number, or no number that could be seconds. The value has been measured. */
function numberAt(bytes: Buffer, at: number): number {
  const type = bytes[at] ?? 0;
  if (type < 0x80) return type;
  if ((FIXED_SIZE[type] ?? 0) < 2) return Number.NaN;
  switch (type) {
    case 0xca:
      return bytes.readFloatBE(at + 1);
    case 0xcb:
      return bytes.readDoubleBE(at + 1);
    case 0xcc:
      return bytes.readUInt8(at + 1);
    case 0xcd:
      return bytes.readUInt16BE(at + 1);
    case 0xce:
      return bytes.readUInt32BE(at + 1);
    case 0xcf:
      return Number(bytes.readBigUInt64BE(at + 1));
    case 0xd2:
      return bytes.readInt32BE(at + 1);
    case 0xd3:
      return Number(bytes.readBigInt64BE(at + 1));
    default:
      return Number.NaN;
  }
}
