// Reads msgpack value by value out of bytes that may be anything: small tables and handshakes, not payloads.
// (https://github.com/msgpack/msgpack/blob/master/spec.md)
//
// Guarantees: never throws and never reads past the end. A read that does not find what it asks for returns undefined
// and leaves the position where it was, so that another read may be tried.

import { isUtf8 } from 'node:buffer';
import {
  containerChildren,
  containerHeaderSize,
  FIXED_SIZE,
  isArray,
  isMap,
  payloadHeaderSize,
  payloadSize,
  valueEnd,
} from './extents.ts';

export class MsgpackReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = start;
    this.#end = Math.min(end, bytes.length);
  }

  /** Position of the next value. */
  get position(): number {
    return this.#at;
  }

  /** Whether all bytes have been read. */
  get done(): boolean {
    return this.#at === this.#end;
  }

  /** Elements of the array whose header this reads. They need not be there: each read tells. */
  arrayHeader(): number | undefined {
    const type = this.#peek();
    return type !== undefined && isArray(type) ? this.#containerHeader(type) : undefined;
  }

  /** Pairs of the map whose header this reads. */
  mapHeader(): number | undefined {
    const type = this.#peek();
    if (type === undefined || !isMap(type)) return undefined;
    const children = this.#containerHeader(type);
    return children === undefined ? undefined : children / 2;
  }

  /** True and past it if the next value is nil. */
  nil(): boolean {
    if (this.#peek() !== 0xc0) return false;
    this.#at += 1;
    return true;
  }

  boolean(): boolean | undefined {
    const type = this.#peek();
    if (type !== 0xc2 && type !== 0xc3) return undefined;
    this.#at += 1;
    return type === 0xc3;
  }

  /** An integer; a bigint where it is beyond ±(2^53 - 1). */
  integer(): number | bigint | undefined {
    const type = this.#peek();
    if (type === undefined) return undefined;
    if (type < 0x80 || type >= 0xe0) {
      this.#at += 1;
      return type < 0x80 ? type : type - 0x100;
    }
    if (type < 0xcc || type > 0xd3 || this.#at + (FIXED_SIZE[type] ?? 0) > this.#end) return undefined;
    const value = this.#fixedInteger(type, this.#at + 1);
    this.#at += FIXED_SIZE[type] ?? 0;
    return value;
  }

  /** An integer within ±(2^53 - 1). */
  safeInteger(): number | undefined {
    const start = this.#at;
    const value = this.integer();
    if (typeof value === 'number') return value;
    this.#at = start;
    return undefined;
  }

  /** The payload of a str or a bin, uncopied. */
  bytes(): Buffer | undefined {
    return this.#payload(isString) ?? this.#payload(isBinary);
  }

  /** The payload of a bin, uncopied. */
  binary(): Buffer | undefined {
    return this.#payload(isBinary);
  }

  /** A str that is valid UTF-8. */
  string(): string | undefined {
    const type = this.#peek();
    if (type === undefined || !isString(type)) return undefined;
    const start = this.#payloadStart(type);
    const end = this.#payloadEnd(type, start);
    if (end > this.#end) return undefined;
    const bytes = this.#bytes;
    let ascii = start;
    while (ascii < end && (bytes[ascii] ?? 0) < 0x80) ascii += 1;
    if (ascii < end && !isUtf8(bytes.subarray(ascii, end))) return undefined;
    this.#at = end;
    return ascii === end ? bytes.toString('latin1', start, end) : bytes.toString('utf8', start, end);
  }

  /** Passes over the next value, whatever it is; false where it is cut or malformed. */
  skip(): boolean {
    const end = valueEnd(this.#bytes, this.#at, this.#end);
    if (end < 0) return false;
    this.#at = end;
    return true;
  }

  #peek(): number | undefined {
    return this.#at < this.#end ? this.#bytes[this.#at] : undefined;
  }

  #containerHeader(type: number): number | undefined {
    const headerEnd = this.#at + containerHeaderSize(type);
    if (headerEnd > this.#end) return undefined;
    const children = containerChildren(this.#bytes, this.#at, type);
    this.#at = headerEnd;
    return children;
  }

  #fixedInteger(type: number, at: number): number | bigint {
    const bytes = this.#bytes;
    switch (type) {
      case 0xcc:
        return bytes.readUInt8(at);
      case 0xcd:
        return bytes.readUInt16BE(at);
      case 0xce:
        return bytes.readUInt32BE(at);
      case 0xd0:
        return bytes.readInt8(at);
      case 0xd1:
        return bytes.readInt16BE(at);
      case 0xd2:
        return bytes.readInt32BE(at);
      default: {
        const value = type === 0xcf ? bytes.readBigUInt64BE(at) : bytes.readBigInt64BE(at);
        const near = Number(value);
        return Number.isSafeInteger(near) ? near : value;
      }
    }
  }

  #payload(isWanted: (type: number) => boolean): Buffer | undefined {
    const type = this.#peek();
    if (type === undefined || !isWanted(type)) return undefined;
    const start = this.#payloadStart(type);
    const end = this.#payloadEnd(type, start);
    if (end > this.#end) return undefined;
    this.#at = end;
    return this.#bytes.subarray(start, end);
  }

  #payloadStart(type: number): number {
    return this.#at + (FIXED_SIZE[type] === 0 ? payloadHeaderSize(type) : 1);
  }

  /** Past the end where the payload, or its length, is cut. */
  #payloadEnd(type: number, start: number): number {
    const fixed = FIXED_SIZE[type] ?? 0;
    if (fixed !== 0) return start + fixed - 1;
    return start > this.#end ? start : start + payloadSize(this.#bytes, this.#at, type);
  }
}

function isString(type: number): boolean {
  return (type & 0xe0) === 0xa0 || (type >= 0xd9 && type <= 0xdb);
}

function isBinary(type: number): boolean {
  return type >= 0xc4 && type <= 0xc6;
}
