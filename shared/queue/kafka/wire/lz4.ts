// LZ4's frames (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md), as producers of Kafka pack batches. Node
// has no LZ4, and kafkajs none either.
//
//   frame   04 22 4d 18 | flags | block size | [content size 8] | [dictionary 4] | checksum | blocks | 0 (4) | [sum 4]
//   block   size (u32 little-endian, highest bit: not packed) | bytes | [checksum 4]
//   bytes   token: literals (4 bits), match - 4 (4 bits), 15: more follows | literals | offset (u16) | …
//
// Guarantees: total, and linear in what goes in and comes out; no more than `bytesMax` is allocated twice over. The
// checksums are not looked at: Kafka's batch has one.

const MAGIC = 0x184d2204;
const DESCRIPTOR_AT = 4;
const WITH_BLOCK_CHECKSUM = 0x10;
const WITH_CONTENT_SIZE = 0x08;
const WITH_CONTENT_CHECKSUM = 0x04;
const WITH_DICTIONARY = 0x01;
const PLAIN_BLOCK = 0x8000_0000;
const MATCH_MIN = 4;
const MORE = 15;
const CHECKSUM_BYTES = 4;
/** Of what is packed; a guess, doubled where it falls short. */
const RATIO = 4;

export type Lz4Unpacked =
  { readonly kind: 'bytes'; readonly bytes: Buffer } | { readonly kind: 'malformed' | 'too_large' };

const MALFORMED = { kind: 'malformed' } as const;

/** What frames one after another unpack to. Never throws. */
export function unpackLz4(packed: Buffer, bytesMax: number): Lz4Unpacked {
  const out = new Output(Math.min(bytesMax, packed.length * RATIO), bytesMax);
  let at = 0;
  while (at < packed.length) {
    at = unpackFrame(packed, at, out);
    if (out.isFull) return { kind: 'too_large' };
    if (at < 0) return MALFORMED;
  }
  return packed.length === 0 ? MALFORMED : { kind: 'bytes', bytes: out.view() };
}

/** Returns where the frame ends; -1 where it is none. */
function unpackFrame(packed: Buffer, start: number, out: Output): number {
  if (start + DESCRIPTOR_AT + 3 > packed.length || packed.readUInt32LE(start) !== MAGIC) return -1;
  const flags = packed[start + DESCRIPTOR_AT] ?? 0;
  // Version 01; whoever packed with a dictionary has not told us which.
  if (flags >> 6 !== 1 || (flags & WITH_DICTIONARY) !== 0) return -1;
  let at = start + DESCRIPTOR_AT + 3 + ((flags & WITH_CONTENT_SIZE) === 0 ? 0 : 8);
  const blockEndBytes = (flags & WITH_BLOCK_CHECKSUM) === 0 ? 0 : CHECKSUM_BYTES;
  const frameEndBytes = (flags & WITH_CONTENT_CHECKSUM) === 0 ? 0 : CHECKSUM_BYTES;
  for (;;) {
    if (at + 4 > packed.length) return -1;
    const header = packed.readUInt32LE(at);
    at += 4;
    if (header === 0) return at + frameEndBytes <= packed.length ? at + frameEndBytes : -1;
    const size = header % PLAIN_BLOCK;
    const end = at + size;
    if (end + blockEndBytes > packed.length) return -1;
    if (header >= PLAIN_BLOCK) out.literals(packed, at, end);
    else if (!unpackBlock(packed, at, end, out)) return -1;
    if (out.isFull) return -1;
    at = end + blockEndBytes;
  }
}

function unpackBlock(packed: Buffer, start: number, end: number, out: Output): boolean {
  let at = start;
  /** A length of four bits, and what follows where they are all set. Leaves `at` past the end where it is cut. */
  const lengthOf = (bits: number): number => {
    let length = bits;
    for (let byte = bits === MORE ? 255 : 0; byte === 255;) {
      byte = packed[at++] ?? 0;
      length += byte;
    }
    return length;
  };
  while (at < end) {
    const token = packed[at++] ?? 0;
    const literals = lengthOf(token >> 4);
    if (at + literals > end) return false;
    if (!out.literals(packed, at, at + literals)) return false;
    at += literals;
    // The last sequence has no match.
    if (at === end) return true;
    if (at + 2 > end) return false;
    const offset = packed.readUInt16LE(at);
    at += 2;
    const match = lengthOf(token & MORE) + MATCH_MIN;
    if (at > end || !out.match(offset, match)) return false;
  }
  return false;
}

class Output {
  isFull = false;
  readonly #bytesMax: number;
  #bytes: Buffer;
  #length = 0;

  constructor(bytes: number, bytesMax: number) {
    this.#bytes = Buffer.allocUnsafeSlow(bytes);
    this.#bytesMax = bytesMax;
  }

  view(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  literals(packed: Buffer, from: number, to: number): boolean {
    if (!this.#hasRoomFor(to - from)) return false;
    packed.copy(this.#bytes, this.#length, from, to);
    this.#length += to - from;
    return true;
  }

  /** Copies what is `offset` bytes back; where that overlaps what is written, it repeats. */
  match(offset: number, length: number): boolean {
    if (offset === 0 || offset > this.#length || !this.#hasRoomFor(length)) return false;
    const bytes = this.#bytes;
    let at = this.#length;
    if (offset >= length) bytes.copyWithin(at, at - offset, at - offset + length);
    else for (const end = at + length; at < end; at++) bytes[at] = bytes[at - offset] ?? 0;
    this.#length += length;
    return true;
  }

  #hasRoomFor(more: number): boolean {
    const wanted = this.#length + more;
    if (wanted > this.#bytesMax) {
      this.isFull = true;
      return false;
    }
    if (wanted <= this.#bytes.length) return true;
    const larger = Buffer.allocUnsafeSlow(Math.min(this.#bytesMax, Math.max(wanted, this.#bytes.length * 2)));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
    return true;
  }
}
