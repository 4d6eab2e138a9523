// Goes through protobuf messages field by field, on the wire reader of @bufbuild/protobuf, within the bounds of the message that
// is being read (https://protobuf.dev/programming-guides/encoding/).
//
//   message   (<field << 3 | type> <value>)*      type 2: <length> <bytes>, a text or a message
//
// Its methods throw at what is no protobuf; a walker catches that once, for the whole body or a part that may be refused alone.

import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';

export class ProtobufReader {
  /** For the numbers of a field; lengths are read by the methods here. */
  readonly wire: BinaryReader;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.wire = new BinaryReader(bytes);
  }

  get at(): number {
    return Math.min(this.wire.pos, this.#bytes.length);
  }

  /** Calls `visit` at each message in the field, with its end; what else there is up to `end` is passed over. Returns how many. */
  each(end: number, wanted: number, visit: (end: number) => void): number {
    const { wire } = this;
    let count = 0;
    while (wire.pos < end) {
      const [field, type] = wire.tag();
      if (field !== wanted || type !== WireType.LengthDelimited) {
        wire.skip(type, field);
        continue;
      }
      visit(this.messageEnd(end));
      count += 1;
    }
    this.finish(end);
    return count;
  }

  /** The end of the message whose length is next. */
  messageEnd(outerEnd: number): number {
    const size = this.wire.uint32();
    const end = this.wire.pos + size;
    if (end > outerEnd) throw new RangeError('a message is longer than what it is in');
    return end;
  }

  /** The bytes whose length is next, uncopied. */
  bytes(outerEnd: number): Buffer {
    return this.rest(this.messageEnd(outerEnd));
  }

  /** The bytes from here to `end`, uncopied. */
  rest(end: number): Buffer {
    const start = this.wire.pos;
    this.wire.pos = end;
    return this.#bytes.subarray(start, end);
  }

  /** After the last field of a message. */
  finish(end: number): void {
    if (this.wire.pos !== end) throw new RangeError('a field is longer than the message that it is in');
  }
}
