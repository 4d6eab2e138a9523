// A seeded stream of Forward frames of every mode, each with a record and a chunk id of its own, of which half are
// damaged: bits flipped, bytes overwritten, cut, doubled, moved, spliced with another frame. The same seed gives the
// same frames. Damage often leaves a frame that can be read; some of it breaks the stream behind it, as a broken sender
// would.

import { gzipSync, zstdCompressSync } from 'node:zlib';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { bytesOf, captured } from '#test/fixtures/forward/captured.ts';

/** Of a hundred frames, as many are damaged. */
const DAMAGED_PERCENT = 50;
const INTERESTING = [
  0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc4, 0xc6, 0xc7, 0xc9, 0xd7, 0xd9, 0xdb, 0xdc, 0xdd,
  0xde, 0xdf, 0xff,
];

/** Frames until their bytes are at least `bytesTotal`. */
export function* mutatedFrames(seed: number, bytesTotal: number): Generator<Buffer> {
  const random = new Random(seed);
  const corpus = captured.filter(({ file }) => !file.includes('json')).map(bytesOf);
  let bytes = 0;
  let before: Buffer = Buffer.from([0xc0]);
  for (let n = 0; bytes < bytesTotal; n += 1) {
    // Once in a while, a whole connection of a real sender.
    const frame = random.below(100) === 0 ? random.pick(corpus) : frameOf(random, n);
    const sent = random.below(100) < DAMAGED_PERCENT ? damaged(frame, before, random) : frame;
    before = frame;
    bytes += sent.length;
    yield sent;
  }
}

/** A valid frame, in one of the protocol's modes. */
function frameOf(random: Random, n: number): Buffer {
  const writer = new MsgpackWriter();
  const hasChunk = random.below(2) === 0;
  const mode = random.below(6);
  const elements = mode === 0 ? 3 : 2;
  if (mode === 5) {
    writer.nil();
    return writer.take();
  }
  writer.arrayHeader(elements + (hasChunk || mode >= 3 ? 1 : 0));
  writer.string(`app.${random.pick(['web', 'db', 'ünï'])}`);
  const entries = mode === 0 ? [] : Array.from({ length: random.below(8) + 1 }, (_, i) => entryOf(random, n * 10 + i));
  const run = Buffer.concat(entries);
  if (mode === 0) writer.raw(entryOf(random, n * 10).subarray(1));
  else if (mode === 1) {
    writer.arrayHeader(entries.length);
    writer.raw(run);
  } else if (mode === 2) writer.binary(run);
  else if (mode === 3) writer.binary(gzipSync(run));
  else writer.binary(zstdCompressSync(run));
  if (hasChunk || mode >= 3) writeOption(writer, hasChunk ? `chunk-${n}` : null, mode);
  return writer.take();
}

function writeOption(writer: MsgpackWriter, chunk: string | null, mode: number): void {
  writer.mapHeader((chunk === null ? 0 : 1) + (mode >= 3 ? 1 : 0));
  if (chunk !== null) {
    writer.string('chunk');
    writer.string(chunk);
  }
  if (mode >= 3) {
    writer.string('compressed');
    writer.string(mode === 3 ? 'gzip' : 'zstd');
  }
}

function entryOf(random: Random, n: number): Buffer {
  const writer = new MsgpackWriter();
  writer.arrayHeader(2);
  if (random.below(2) === 0) writer.eventTime(1_700_000_000 + n, n);
  else writer.integer(1_700_000_000 + n);
  writer.mapHeader(3);
  writer.string('log');
  writer.string('x'.repeat(random.below(300)));
  writer.string('n');
  writer.integer(n);
  writer.string('nested');
  writer.arrayHeader(2);
  writer.nil();
  writer.float(n / 7);
  return writer.take();
}

function damaged(frame: Buffer, other: Buffer, random: Random): Buffer {
  const at = random.below(frame.length);
  const copy = Buffer.from(frame);
  switch (random.below(7)) {
    case 0:
      copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
      return copy;
    case 1:
      copy[at] = random.pick(INTERESTING);
      return copy;
    case 2:
      return copy.subarray(0, at);
    case 3:
      return Buffer.concat([copy.subarray(0, at), copy.subarray(random.below(at + 1))]);
    case 4:
      return Buffer.concat([copy.subarray(0, at), other.subarray(random.below(other.length))]);
    case 5:
      return Buffer.concat([copy.subarray(0, at), Buffer.from([random.pick(INTERESTING)]), copy.subarray(at)]);
    default:
      copy.fill(random.below(256), at, Math.min(at + 4, copy.length));
      return copy;
  }
}

/** mulberry32. */
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** An integer from 0 up to, but not, `limit`. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  pick<T>(values: readonly T[]): T {
    const value = values[this.below(values.length)];
    if (value === undefined) throw new RangeError('there is nothing to pick from');
    return value;
  }
}
