// Writes msgpack into one growing buffer (https://github.com/msgpack/msgpack/blob/master/spec.md).
// Every value takes the shortest form that holds it. Containers whose size is known get their header first; where it is
// not (JSON text that is being read), `openMap` and `openArray` leave a byte for it and `close…` sets it afterwards.
//
// Guarantees: the bytes written are valid msgpack if as many values follow a header as it says; a number that msgpack
// cannot hold exactly as an integer is an assertion, never a wrong value. `reset` keeps the buffer for the next use.

import assert from 'node:assert/strict';

const CAPACITY_FIRST = 1024;
/** A buffer above this is let go at `reset`, so that one large value does not hold memory for ever. */
const CAPACITY_KEPT = 1024 * 1024;

/** A buffer from here on is freed when a larger one takes its place. */
const FREED_MIN = 1024 * 1024;

const STRING_HEADER_MAX = 5;
const WORD_BYTES = 4;
/** A longer text is copied by a call out of JavaScript. */
const WORDS_BYTES_MAX = 256;
const INT64_MIN = -(2n ** 63n);
const UINT64_MAX = 2n ** 64n - 1n;

export class MsgpackWriter {
  #bytes: Buffer<ArrayBuffer>;
  /** Of all of `#bytes`. */
  #view: DataView<ArrayBuffer>;
  #length = 0;

  constructor(capacity = CAPACITY_FIRST) {
    this.#bytes = Buffer.allocUnsafeSlow(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Bytes written since the last `reset`. */
  get length(): number {
    return this.#length;
  }

  /** Forgets what was written, and frees a buffer above `keptBytesMax`. */
  reset(keptBytesMax = CAPACITY_KEPT): void {
    this.#length = 0;
    if (this.#bytes.length > keptBytesMax) this.#replaceBy(Buffer.allocUnsafeSlow(CAPACITY_FIRST));
  }

  /** Forgets what was written after `length`, such as an entry that turned out to be malformed. */
  truncate(length: number): void {
    assert(length >= 0 && length <= this.#length);
    this.#length = length;
  }

  /** A copy of what was written. */
  take(): Buffer<ArrayBuffer> {
    const copy = Buffer.allocUnsafeSlow(this.#length);
    this.#bytes.copy(copy, 0, 0, this.#length);
    return copy;
  }

  /** What was written from there on, uncopied: valid until the next write or reset. */
  view(from = 0): Buffer<ArrayBuffer> {
    return this.#bytes.subarray(from, this.#length);
  }

  /** What `view` is of: `length` bytes of it were written. It is another one once more room was made. */
  get buffer(): Buffer<ArrayBuffer> {
    return this.#bytes;
  }

  arrayHeader(count: number): void {
    this.#containerHeader(count, 0x90, 0xdc);
  }

  mapHeader(count: number): void {
    this.#containerHeader(count, 0x80, 0xde);
  }

  /** Begins an array whose size is not known yet; what it returns goes to `closeArray`. */
  openArray(): number {
    return this.openMap();
  }

  closeArray(at: number, count: number): void {
    this.#close(at, count, 0x90, 0xdc);
  }

  /** Begins a map whose size is not known yet; what it returns goes to `closeMap`. */
  openMap(): number {
    this.#byte(0);
    return this.#length - 1;
  }

  /** `count`: pairs. */
  closeMap(at: number, count: number): void {
    this.#close(at, count, 0x80, 0xde);
  }

  nil(): void {
    this.#byte(0xc0);
  }

  boolean(value: boolean): void {
    this.#byte(value ? 0xc3 : 0xc2);
  }

  /** -2^63 ≤ value < 2^64. */
  integer(value: number | bigint): void {
    if (typeof value === 'bigint') this.#bigint(value);
    else if ((value & 0x7f) === value) this.#byte(value);
    else if (!Number.isSafeInteger(value)) this.#bigint(BigInt(value));
    else if (value >= 0) this.#unsigned(value);
    else this.#negative(value);
  }

  /** Always a float64. */
  float(value: number): void {
    this.#reserve(9);
    this.#bytes[this.#length] = 0xcb;
    this.#view.setFloat64(this.#length + 1, value);
    this.#length += 9;
  }

  /** As UTF-8; a lone surrogate becomes U+FFFD. */
  string(value: string): void {
    const { length } = value;
    if (length < 32 && this.#shortAscii(value, length)) return;
    const size = Buffer.byteLength(value);
    this.#stringHeader(size);
    this.#reserve(size);
    this.#length += this.#bytes.write(value, this.#length, size, 'utf8');
  }

  /** A str whose text is there as bytes; they are not looked at. */
  stringBytes(bytes: Uint8Array, start = 0, end = bytes.length): void {
    this.#stringHeader(end - start);
    this.raw(bytes, start, end);
  }

  /** The same, for what has a view: quicker for texts of words. */
  stringOf(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const size = end - start;
    if (size > WORDS_BYTES_MAX) return this.stringBytes(bytes, start, end);
    this.#stringHeader(size);
    this.#reserve(size + WORD_BYTES);
    const at = this.#length;
    const to = this.#view;
    // The last word may have bytes that are none of the text's: they are written over.
    const last = Math.min(size, view.byteLength - start - WORD_BYTES + 1);
    let i = 0;
    for (; i < last; i += WORD_BYTES) to.setInt32(at + i, view.getInt32(start + i, true), true);
    for (; i < size; i += 1) to.setUint8(at + i, view.getUint8(start + i));
    this.#length = at + size;
  }

  /** A str of bytes that were written before. */
  stringWithin(start: number, end: number): void {
    this.#reserve(end - start + STRING_HEADER_MAX);
    this.stringBytes(this.#bytes, start, end);
  }

  binary(bytes: Uint8Array): void {
    this.#sized(0xc4, bytes.length);
    this.raw(bytes);
  }

  /** Bytes as they are: values that were encoded elsewhere. */
  raw(bytes: Uint8Array, start = 0, end = bytes.length): void {
    const size = end - start;
    assert(size >= 0);
    this.#reserve(size);
    const target = this.#bytes;
    // A call out of JavaScript costs more than so few bytes.
    if (size < 24) for (let i = 0, to = this.#length; i < size; i += 1) target[to + i] = bytes[start + i] ?? 0;
    else target.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), this.#length);
    this.#length += size;
  }

  /** Fluentd's EventTime: d7 00, seconds (32 bit), nanoseconds (32 bit). */
  eventTime(seconds: number, nanoseconds: number): void {
    assert(seconds >= 0 && seconds <= 0xffffffff && nanoseconds >= 0 && nanoseconds < 1_000_000_000);
    this.#reserve(10);
    this.#view.setUint16(this.#length, 0xd700);
    this.#view.setUint32(this.#length + 2, seconds);
    this.#view.setUint32(this.#length + 6, nanoseconds);
    this.#length += 10;
  }

  #reserve(size: number): void {
    const needed = this.#length + size;
    if (needed > this.#bytes.length) this.#grow(needed);
  }

  #grow(needed: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#replaceBy(grown);
  }

  #replaceBy(bytes: Buffer<ArrayBuffer>): void {
    // Left to the garbage collector, as much again would lie about while a large body is read.
    if (this.#bytes.length >= FREED_MIN) this.#bytes.buffer.transfer(0);
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }

  #byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  /** A first byte, and behind it a value of so many bytes. */
  #header(type: number, value: number, size: 1 | 2 | 4 | 8): void {
    this.#reserve(1 + size);
    const at = this.#length;
    this.#bytes[at] = type;
    assert(size === 8 || value <= 0xffffffff);
    if (size === 1) this.#bytes[at + 1] = value;
    else if (size === 2) this.#view.setUint16(at + 1, value);
    else if (size === 4) this.#view.setUint32(at + 1, value);
    else {
      this.#view.setInt32(at + 1, Math.floor(value / 0x1_0000_0000));
      this.#view.setUint32(at + 5, value);
    }
    this.#length = at + 1 + size;
  }

  #stringHeader(size: number): void {
    if (size < 32) this.#byte(0xa0 | size);
    else this.#sized(0xd9, size);
  }

  /** The header of a text or bytes; `type`: with one byte for the size. */
  #sized(type: number, size: number): void {
    if (size < 0x100) this.#header(type, size, 1);
    else if (size < 0x10000) this.#header(type + 1, size, 2);
    else this.#header(type + 2, size, 4);
  }

  /** Writes a text of less than 32 characters if all are ASCII; else leaves everything as it was. */
  #shortAscii(value: string, length: number): boolean {
    this.#reserve(length + 1);
    const bytes = this.#bytes;
    let at = this.#length;
    bytes[at++] = 0xa0 | length;
    for (let i = 0; i < length; i += 1) {
      const code = value.charCodeAt(i);
      if (code >= 0x80) return false;
      bytes[at++] = code;
    }
    this.#length = at;
    return true;
  }

  #containerHeader(count: number, short: number, type16: number): void {
    if (count < 16) this.#byte(short | count);
    else if (count < 0x10000) this.#header(type16, count, 2);
    else this.#header(type16 + 1, count, 4);
  }

  /** Few containers have more than 15 elements; behind those that have, what was written moves up to make room. */
  #close(at: number, count: number, short: number, type16: number): void {
    if (count < 16) {
      this.#bytes[at] = short | count;
      return;
    }
    const end = this.#length;
    const size = count < 0x10000 ? 3 : 5;
    this.#reserve(size - 1);
    this.#bytes.copyWithin(at + size, at + 1, end);
    this.#length = at;
    this.#containerHeader(count, short, type16);
    this.#length = end + size - 1;
  }

  #unsigned(value: number): void {
    if (value < 0x100) this.#header(0xcc, value, 1);
    else if (value < 0x10000) this.#header(0xcd, value, 2);
    else if (value <= 0xffffffff) this.#header(0xce, value, 4);
    else this.#header(0xcf, value, 8);
  }

  #negative(value: number): void {
    if (value >= -32) this.#byte(value & 0xff);
    else if (value >= -0x80) this.#header(0xd0, value & 0xff, 1);
    else if (value >= -0x8000) this.#header(0xd1, value & 0xffff, 2);
    else if (value >= -0x80000000) this.#header(0xd2, value >>> 0, 4);
    else this.#header(0xd3, value, 8);
  }

  #bigint(value: bigint): void {
    if (value >= -0x80000000n && value <= 0xffffffffn) {
      this.integer(Number(value));
      return;
    }
    assert(value >= INT64_MIN && value <= UINT64_MAX);
    this.#reserve(9);
    this.#bytes[this.#length] = value < 0n ? 0xd3 : 0xcf;
    this.#view.setBigInt64(this.#length + 1, value);
    this.#length += 9;
  }
}
