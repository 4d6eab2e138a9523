// One input as its recipe, so that it can be changed at random and what got worse be kept. Pure, given its random
// numbers.

import type { Encoding, Shape } from './shape-parts.ts';
import { bodyBytesMax } from './shapes.ts';

export interface Genome {
  readonly shape: Shape;
  readonly piece: Buffer;
  /** How often the piece is repeated. */
  readonly repeat: number;
  /** Which of the shape's nests, and how deep. */
  readonly nest: number;
  readonly depth: number;
  readonly encoding: Encoding;
}

/** From 0 to 1, without 1. */
export type Random = () => number;

const depthMax = 300;
const pieceBytesMax = 4096;
const seedBytes = 64 * 1024;
const encodings: readonly Encoding[] = ['identity', 'gzip', 'zstd'];
/** A stream or a datagram has no encodings. */
const raw: readonly Encoding[] = ['identity'];

/** Small numbers that repeat for a seed (mulberry32). */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function encodingsOf({ via, isPlain }: Shape): readonly Encoding[] {
  return (via === 'http' || via === 'forward') && isPlain !== true ? encodings : raw;
}

/** The shape's pieces as they are, to begin with. */
export function seedsOf(shape: Shape): Genome[] {
  const encoding = encodingsOf(shape).at(-2) ?? 'identity';
  return shape.pieces.map((piece) => ({
    shape,
    piece,
    repeat: Math.max(1, Math.floor(seedBytes / piece.length)),
    nest: 0,
    depth: 0,
    encoding,
  }));
}

export function bodyOf({ shape, piece, repeat, nest, depth }: Genome): Buffer {
  const [open, close] = shape.nests[nest] ?? [Buffer.alloc(0), Buffer.alloc(0)];
  const run = Buffer.alloc(
    Math.min(repeat, Math.max(1, Math.floor(bodyBytesMax / piece.length))) * piece.length,
    piece,
  );
  // A comma before what closes would be malformed.
  const end = close.length > 0 && run.at(-1) === 0x2c ? run.length - 1 : run.length;
  return shape.wrap(Buffer.concat([times(open, depth), run.subarray(0, end), times(close, depth)]));
}

function times(bytes: Buffer, count: number): Buffer {
  return bytes.length === 0 || count === 0 ? Buffer.alloc(0) : Buffer.alloc(bytes.length * count, bytes);
}

export function mutated(genome: Genome, random: Random): Genome {
  const { shape, piece } = genome;
  const pick = <T>(from: readonly T[]): T | undefined => from[Math.floor(random() * from.length)];
  const changes: readonly (() => Genome)[] = [
    () => ({ ...genome, repeat: Math.max(1, Math.floor(genome.repeat * 2 ** (random() * 8 - 4))) }),
    () => ({ ...genome, repeat: Math.floor(bodyBytesMax / piece.length) }),
    () => ({ ...genome, nest: Math.floor(random() * shape.nests.length), depth: Math.floor(random() ** 2 * depthMax) }),
    () => ({ ...genome, encoding: pick(encodingsOf(shape)) ?? 'identity' }),
    () => sized(genome, Buffer.concat([piece, pick(shape.pieces) ?? piece])),
    () => sized(genome, pick(shape.pieces) ?? piece),
    () => sized(genome, changedByte(piece, random)),
    () => sized(genome, withoutSlice(piece, random)),
    () => sized(genome, doubledSlice(piece, random)),
  ];
  return (pick(changes) ?? (() => genome))();
}

/** Another piece, for as many bytes in all. */
function sized(genome: Genome, piece: Buffer): Genome {
  if (piece.length === 0 || piece.length > pieceBytesMax) return genome;
  return { ...genome, piece, repeat: Math.max(1, Math.floor((genome.repeat * genome.piece.length) / piece.length)) };
}

function changedByte(piece: Buffer, random: Random): Buffer {
  const copy = Buffer.from(piece);
  copy[Math.floor(random() * copy.length)] = Math.floor(random() * 256);
  return copy;
}

function withoutSlice(piece: Buffer, random: Random): Buffer {
  const from = Math.floor(random() * piece.length);
  return Buffer.concat([piece.subarray(0, from), piece.subarray(from + 1 + Math.floor(random() * 8))]);
}

function doubledSlice(piece: Buffer, random: Random): Buffer {
  const from = Math.floor(random() * piece.length);
  const to = from + Math.ceil(random() * (piece.length - from));
  return Buffer.concat([piece.subarray(0, to), piece.subarray(from)]);
}

/** For people, on one line. */
export function describe({ shape, piece, repeat, nest, depth, encoding }: Genome): string {
  const nested = depth > 0 && shape.nests.length > 0 ? `, nested ${depth} times (${nest})` : '';
  return `${shape.name}: ${JSON.stringify(piece.toString('latin1').slice(0, 60))} x ${repeat}${nested}, ${encoding}`;
}
