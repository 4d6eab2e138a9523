// The time of an entry, from whatever a sender gives, to the text of a `date_nanos` field.
//
//   int, float       seconds since the epoch (a float holds microseconds, no more)
//   d7 00 s4 n4      EventTime: seconds and nanoseconds, u32 each, big-endian; also c7 08 00 s4 n4
//   0, nil           now: the time of receipt
//
// https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1.5#eventtime-ext-format

import { JsonBuffer } from '../json/json-buffer.ts';

/** A field of type `date_nanos` ends at 2262-04-11T23:47:16.854775807Z: nanoseconds since the epoch in 63 bits. */
const SECONDS_MAX = 9_223_372_035;
const NANOS = 1_000_000_000;
const SECONDS_PER_DAY = 86_400;
const SECONDS_1971 = Date.UTC(1971, 0, 1) / 1000;
const SECONDS_2100 = Date.UTC(2100, 0, 1) / 1000;

/**
 * What the value at an entry's time place says: an instant that the field can hold, "now", or something that it cannot
 * hold.
 */
export type TimeKind = 'instant' | 'now' | 'unfit';

/** An instant, and its text. One object is used again and again, for the text up to the second seldom changes. */
export class Timestamp {
  #seconds = 0;
  #nanos = 0;
  #writtenSeconds = -1;
  /** "2026-01-02T03:04:05 of the second that was written last. */
  readonly #written = new JsonBuffer(Buffer.alloc(24));

  setMs(epochMs: number): void {
    this.#seconds = Math.floor(epochMs / 1000);
    this.#nanos = (epochMs - this.#seconds * 1000) * 1_000_000;
  }

  /** False where the field cannot hold the instant, which then stays as it was. */
  setInstant(seconds: number, nanos: number): boolean {
    return this.#set(seconds, nanos) === 'instant';
  }

  /** Whether both are within a day. */
  isNear(other: Timestamp): boolean {
    return Math.abs(this.#seconds - other.#seconds) <= SECONDS_PER_DAY;
  }

  /** How many nanoseconds later than the other it is: exact within a hundred days. */
  nanosSince(other: Timestamp): number {
    return (this.#seconds - other.#seconds) * NANOS + this.#nanos - other.#nanos;
  }

  /** Whether a clock that was never set, or a number that is no time, is more likely than this instant. */
  get isUnlikely(): boolean {
    return this.#seconds < SECONDS_1971 || this.#seconds >= SECONDS_2100;
  }

  /** Reads the msgpack value at `at`, which is whole; leaves the instant as it was where the value is none. */
  read(bytes: Uint8Array, view: DataView, at: number): TimeKind {
    const type = bytes[at]!;
    if (type === 0xd7 && bytes[at + 1] === 0) return this.#set(view.getUint32(at + 2), view.getUint32(at + 6));
    if (type === 0xc7 && bytes[at + 1] === 8 && bytes[at + 2] === 0) {
      return this.#set(view.getUint32(at + 3), view.getUint32(at + 7));
    }
    if (type < 0x80) return this.#set(type, 0);
    switch (type) {
      case 0xc0:
        return 'now';
      case 0xca:
        return this.#setFloat(view.getFloat32(at + 1));
      case 0xcb:
        return this.#setFloat(view.getFloat64(at + 1));
      case 0xcc:
        return this.#set(view.getUint8(at + 1), 0);
      case 0xcd:
        return this.#set(view.getUint16(at + 1), 0);
      case 0xce:
        return this.#set(view.getUint32(at + 1), 0);
      case 0xcf:
        return this.#set(view.getUint32(at + 1) * 0x1_0000_0000 + view.getUint32(at + 5), 0);
      case 0xd0:
        return this.#set(view.getInt8(at + 1), 0);
      case 0xd1:
        return this.#set(view.getInt16(at + 1), 0);
      case 0xd2:
        return this.#set(view.getInt32(at + 1), 0);
      case 0xd3:
        return this.#set(view.getInt32(at + 1) * 0x1_0000_0000 + view.getUint32(at + 5), 0);
      default:
        return 'unfit';
    }
  }

  /** Writes the instant as a JSON string in UTC, with three, six or nine digits after the second. */
  write(json: JsonBuffer): void {
    if (this.#seconds !== this.#writtenSeconds) this.#writeSecond();
    json.raw(this.#written);
    json.reserve(16);
    json.byte(0x2e);
    const nanos = this.#nanos;
    if (nanos % 1_000_000 === 0) json.digits(nanos / 1_000_000, 3);
    else if (nanos % 1000 === 0) json.digits(nanos / 1000, 6);
    else json.digits(nanos, 9);
    json.byte(0x5a);
    json.byte(0x22);
  }

  #set(seconds: number, nanos: number): TimeKind {
    if (seconds === 0 && nanos === 0) return 'now';
    // Some clients carry more than a second in the nanoseconds.
    const carry = Math.floor(nanos / NANOS);
    if (!(seconds >= 0 && seconds + carry <= SECONDS_MAX)) return 'unfit';
    this.#seconds = seconds + carry;
    this.#nanos = nanos - carry * NANOS;
    return 'instant';
  }

  #setFloat(value: number): TimeKind {
    if (!(value >= 0 && value <= SECONDS_MAX)) return 'unfit';
    const seconds = Math.floor(value);
    return this.#set(seconds, Math.round((value - seconds) * 1_000_000) * 1000);
  }

  #writeSecond(): void {
    this.#written.at = 0;
    this.#written.ascii(`"${new Date(this.#seconds * 1000).toISOString().slice(0, 19)}`);
    this.#writtenSeconds = this.#seconds;
  }
}
