// Goes through protobuf messages field by field, within the bounds of the message that is being read
// (https://protobuf.dev/programming-guides/encoding/).
//
//   message   (<field << 3 | type> <value>)*
//   type      0 varint   1 eight bytes   2 <length> <bytes>, a text or a message   5 four bytes
//
// Guarantees: never throws for a peer's bytes. What is no protobuf is noted in `fault`, and every method then gives
// nothing until a walker has taken the fault: an exception for each of a million broken records would cost more than
// all else of them.

export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
export const FIXED32 = 5;

const VARINT_BYTES_MAX = 10;
const EMPTY = Buffer.alloc(0);

export class ProtobufReader {
  pos = 0;
  /** Of the field that `next` came to. */
  field = 0;
  type = VARINT;
  #fault: string | null = null;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** What is wrong with the bytes, and where; null while nothing is. */
  get fault(): string | null {
    return this.#fault;
  }

  /** Gives the fault, and reads on: for a message that may be refused alone. */
  takeFault(): string | null {
    const fault = this.#fault;
    this.#fault = null;
    return fault;
  }

  /** Notes what is wrong, unless something was before. */
  fail(why: string): void {
    this.#fault ??= `wrong at byte ${Math.min(this.pos, this.#bytes.length)}: ${why}`;
  }

  /**
   * Comes to the next field of a message that ends at `end`; false behind the last one, or after a fault. Read its
   * value, or `skip` it.
   */
  next(end: number): boolean {
    if (this.#fault !== null || this.pos === end) return false;
    if (this.pos > end) {
      this.fail('a field is longer than the message that it is in');
      return false;
    }
    const tag = this.uint32();
    this.field = tag >>> 3;
    this.type = tag & 7;
    if (this.field === 0) this.fail('there is no field 0');
    return this.#fault === null;
  }

  /** Passes over the value of the field that `next` came to. */
  skip(end: number): void {
    switch (this.type) {
      case VARINT:
        this.int64();
        break;
      case FIXED64:
        this.#take(8);
        break;
      case BYTES:
        this.pos = this.messageEnd(end);
        break;
      case FIXED32:
        this.#take(4);
        break;
      default:
        // Groups, which are obsolete, and unknown types.
        this.fail(`a field has the type ${this.type}`);
    }
  }

  /**
   * Calls `visit` at each message in the field, with its end; what else there is up to `end` is passed over. Returns
   * how many.
   */
  each(end: number, wanted: number, visit: (end: number) => void): number {
    let count = 0;
    while (this.next(end)) {
      if (this.field !== wanted || this.type !== BYTES) {
        this.skip(end);
        continue;
      }
      const messageEnd = this.messageEnd(end);
      if (this.#fault !== null) break;
      visit(messageEnd);
      count += 1;
    }
    return count;
  }

  /** The end of the message whose length is next; here where it would be longer than what it is in. */
  messageEnd(outerEnd: number): number {
    const size = this.uint32();
    const end = this.pos + size;
    if (end <= outerEnd) return end;
    this.fail('a message is longer than what it is in');
    return this.pos;
  }

  /** The bytes whose length is next, uncopied. */
  bytes(outerEnd: number): Buffer {
    return this.rest(this.messageEnd(outerEnd));
  }

  /** The bytes from here to `end`, uncopied. */
  rest(end: number): Buffer {
    if (this.#fault !== null) return EMPTY;
    const start = this.pos;
    this.pos = end;
    return this.#bytes.subarray(start, end);
  }

  /** The low 32 bits of a varint. */
  uint32(): number {
    let value = 0;
    for (let i = 0; i < VARINT_BYTES_MAX; i += 1) {
      const byte = this.#bytes[this.pos++];
      if (byte === undefined) break;
      if (i < 5) value |= (byte & 0x7f) << (7 * i);
      if (byte < 0x80) return value >>> 0;
    }
    this.fail('a varint does not end');
    return 0;
  }

  int32(): number {
    return this.uint32() | 0;
  }

  /** A varint of up to 64 bits, signed. */
  int64(): bigint {
    let low = 0;
    let high = 0;
    for (let i = 0; i < VARINT_BYTES_MAX; i += 1) {
      const byte = this.#bytes[this.pos++];
      if (byte === undefined) break;
      const bits = byte & 0x7f;
      // Bits 0 to 27 in five steps of the low word; the fifth byte has bits of both.
      if (i < 4) low |= bits << (7 * i);
      else if (i === 4) {
        low |= bits << 28;
        high |= bits >>> 4;
      } else high |= bits << (7 * i - 32);
      if (byte < 0x80) return BigInt.asIntN(64, (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0));
    }
    this.fail('a varint does not end');
    return 0n;
  }

  fixed32(): number {
    const at = this.#take(4);
    return at < 0 ? 0 : this.#bytes.readUInt32LE(at);
  }

  fixed64(): bigint {
    const at = this.#take(8);
    return at < 0 ? 0n : this.#bytes.readBigUInt64LE(at);
  }

  double(): number {
    const at = this.#take(8);
    return at < 0 ? 0 : this.#bytes.readDoubleLE(at);
  }

  /** Where the next `size` bytes begin; below 0 where there are not as many. */
  #take(size: number): number {
    const at = this.pos;
    if (this.#fault === null && at + size <= this.#bytes.length) {
      this.pos = at + size;
      return at;
    }
    this.fail('a number is cut');
    return -1;
  }
}
