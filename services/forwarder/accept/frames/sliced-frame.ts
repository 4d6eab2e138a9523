// Takes a run of entries that is too large to be held, or damaged: a first pass finds its name, a second gives its
// entries to intake, slice by slice. What is whole goes on; only what is bad goes to the dead letters.
//
//   pass 1   decompress, checksum, count     → the identity of the batch, as that of a small chunk with this content
//   pass 2   decompress, cut into entries    → slices of the one batch, each entry under its own index
//
// Guarantees: resolves only when every byte is held, by the queue or by the dead letters; the same bytes have the same
// identity and the same indexes each time; a few slices are in memory at once, and other senders' records go between
// them.

import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { unlessAborted } from '#shared/abort.ts';
import type { Permit } from '#shared/byte-budget.ts';
import { SluiceError } from '#shared/errors.ts';
import { type Cut, EntrySplitter } from '#shared/msgpack/entry-splitter.ts';
import type { Encoding } from '#shared/record/record.ts';
import { type SliceSource, UnpackPass } from '#shared/record/unpack-slices.ts';
import type { Origin, Room, SlicedChunk, SlicedIntake, Slices, Undecodable } from '../../intake/chunk.ts';
import type { SlicePasses } from './slice-passes.ts';

export interface SlicedFrame {
  readonly origin: Origin;
  readonly chunkId: Uint8Array | null;
  readonly encoding: Encoding;
  /** The run as it was sent. */
  readonly source: SliceSource;
}

export interface SliceLimits {
  /** The most of what is damaged that goes to the dead letters. */
  readonly heldBytesMax: number;
  readonly entryBytesMax: number;
  /** What a compressed run may grow by, beyond `heldBytesMax` and `RATIO_FREE_BYTES`. */
  readonly ratioMax: number;
  /** And what it may grow to, beyond the same. */
  readonly unpackedBytesMax: number;
  /** Of all connections, and for entries that are large enough to matter. */
  readonly passes: SlicePasses;
  /** The network of the peer's address: all that come from there share their turns, whatever they call themselves. */
  readonly network: string;
  /** A pass begins only when there is room for what it gives. */
  readonly room: Room;
  /** Aborted when the connection is gone, or about to be closed. */
  readonly signal: AbortSignal;
}

/**
 * However small a compressed run is, it may grow to this, and to what may come uncompressed: zstd shrinks a chunk of
 * equal lines 8000 times.
 */
const RATIO_FREE_BYTES = 8 * 1024 * 1024;
/** A few slices. */
const LARGE_ENTRY_BYTES = 1024 * 1024;
/** An entry is copied for the queue. */
const ENTRY_COPIES = 2;
/** Read, and on its way to the queue. */
const DEAD_LETTER_COPIES = 2;
/**
 * Of one slice, without a turn of the event loop between: a slice may be all bad values, and each is a cut of its own.
 */
const TURN_CUTS = 256;
/** Enough to have the first entry's time. */
const HEAD_BYTES = 64;

/**
 * Rejects where it could not be held, or not be read; then its sender must try again.
 * @param named the chunk under the name that it goes by
 */
export async function acceptSliced(
  frame: SlicedFrame,
  limits: SliceLimits,
  intake: SlicedIntake,
  named: (chunk: SlicedChunk) => SlicedChunk = (chunk) => chunk,
): Promise<void> {
  using _turn = await turnOf(frame, limits);
  let survey = await surveyOf(frame, limits, []);
  for (let finer = survey.pass.finerFrom; finer !== null; finer = survey.pass.finerFrom) {
    survey = await surveyOf(frame, limits, finer);
  }
  const { origin, chunkId, source } = frame;
  const { damage } = survey.pass;
  if (survey.length === 0 && !damage) return;
  const deadLetter = async (reason: Undecodable['reason'], error: string): Promise<void> => {
    using beginning = await beginningOf(source, limits);
    const { bytes } = beginning;
    await intake.deadLetter({ ...origin, bytes, reason, error, cut: bytes.length < source.size });
  };
  if (damage?.isTooLarge || survey.entries === 0) {
    const reason = damage?.isTooLarge ? 'chunk_too_large' : 'chunk_undecodable';
    return deadLetter(reason, damage ? `Cannot decompress the chunk: ${damage.why}` : 'it has no entry [time, record]');
  }
  const { count, head, length, crc32: sum } = survey;
  const bad = count - survey.entries;
  const chunk = { ...origin, chunkId, content: { crc32: sum, length }, head, count, bad, sentBytes: source.size };
  try {
    await intake.acceptSlices(named(chunk), (slices) => feed(frame, limits, survey, slices));
  } catch (error) {
    if (!isExcess(error)) throw error;
    await deadLetter('too_many_events', error.message);
  }
}

/** While it waits for the one, the other may be taken by others: nobody who has a turn waits for a tenant's rate. */
async function turnOf({ encoding }: SlicedFrame, limits: SliceLimits): Promise<Disposable> {
  const { passes, network, room, signal } = limits;
  for (;;) {
    if (!room.hasRoom) await unlessAborted(room.room(signal), signal);
    const turn = await passes.enter(network, encoding, signal);
    if (room.hasRoom) return turn;
    turn[Symbol.dispose]();
  }
}

/** What intake never takes: to be refused again and again would help nobody. */
export function isExcess(error: unknown): error is SluiceError {
  return error instanceof SluiceError && error.code === 'too_many_events';
}

interface Survey {
  readonly pass: UnpackPass;
  readonly crc32: number;
  readonly length: number;
  /** The first bytes of the run. */
  readonly head: Buffer;
  /** Entries, and whole values that are none. */
  readonly count: number;
  readonly entries: number;
}

async function surveyOf(frame: SlicedFrame, limits: SliceLimits, finerFrom: readonly number[]): Promise<Survey> {
  const pass = passOver(frame, limits, finerFrom);
  const cutter = new EntrySplitter(limits.entryBytesMax, { lends: true, counts: true });
  let sum = 0;
  let length = 0;
  let count = 0;
  let entries = 0;
  const tally = (cut: Cut): void => {
    count += cut.count;
    if (cut.kind === 'entries') entries += cut.count;
  };
  let head = Buffer.alloc(0);
  for await (const slice of pass.slices()) {
    limits.signal.throwIfAborted();
    sum = crc32(slice, sum);
    length += slice.length;
    if (head.length < HEAD_BYTES) head = Buffer.concat([head, slice.subarray(0, HEAD_BYTES - head.length)]);
    for await (const cut of inTurns(cutter.push(slice))) tally(cut);
  }
  for (const cut of cutter.end()) tally(cut);
  return { pass, crc32: sum, length, head, count, entries };
}

async function feed(frame: SlicedFrame, limits: SliceLimits, survey: Survey, slices: Slices): Promise<void> {
  const pass = passOver(frame, limits, survey.pass.usedFinerFrom);
  const cutter = new EntrySplitter(limits.entryBytesMax, { lends: true });
  let first = 0;
  const give = async (cut: Cut): Promise<void> => {
    const { bytes, count } = cut;
    if (cut.kind === 'entries') await slices.add(bytes, first, count);
    else await slices.reject({ bytes, first, count, why: cut.why, cut: cut.cut ?? false });
    first += count;
  };
  using large = new LargeEntry(cutter, limits);
  for await (const slice of pass.slices()) {
    for await (const cut of inTurns(cutter.push(slice))) await give(cut);
    await large.fit();
  }
  const end = cutter.end();
  let last = end.next();
  for (; last.done !== true; last = end.next()) await give(last.value);
  assert(first === survey.count && pass.damage?.at === survey.pass.damage?.at, 'both passes find the same');
  const before = `${first} entries before it went on`;
  if (pass.damage) {
    // Only the compressed bytes have all of it. Memory for them is asked for with empty hands.
    large[Symbol.dispose]();
    const { source, encoding } = frame;
    using beginning = await beginningOf(source, limits);
    const { bytes } = beginning;
    const why = `Cannot decompress ${encoding}: ${pass.damage.why}; ${before}`;
    await slices.rejectRest({ bytes, why, cut: bytes.length < source.size });
  } else if (last.value) {
    const { bytes, size, why } = last.value;
    await slices.rejectRest({ bytes, why: `${why}; ${before}`, cut: bytes.length < size });
  }
}

async function* inTurns(cuts: Iterable<Cut>): AsyncGenerator<Cut, void, undefined> {
  let left = TURN_CUTS;
  for (const cut of cuts) {
    yield cut;
    left -= 1;
    if (left > 0) continue;
    left = TURN_CUTS;
    await setImmediate();
  }
}

/** An entry that is as large as many others together is held only within the budget of what bytes grow to. */
class LargeEntry implements Disposable {
  readonly #cutter: EntrySplitter;
  readonly #limits: SliceLimits;
  #permit: Permit | null = null;

  constructor(cutter: EntrySplitter, limits: SliceLimits) {
    this.#cutter = cutter;
    this.#limits = limits;
  }

  /**
   * Resolves when it may grow to its limit, or there is none. What was begun is brought to its end, whoever is gone.
   */
  async fit(): Promise<void> {
    const isLarge = this.#cutter.heldBytes > LARGE_ENTRY_BYTES;
    if (isLarge === (this.#permit !== null)) return;
    if (!isLarge) return this[Symbol.dispose]();
    const { passes, entryBytesMax } = this.#limits;
    this.#permit = await passes.hold(ENTRY_COPIES * entryBytesMax, null);
  }

  [Symbol.dispose](): void {
    this.#permit?.[Symbol.dispose]();
    this.#permit = null;
  }
}

/** What so many compressed bytes may hold. */
export function unpackedBytesMax(
  packedBytes: number,
  limits: Pick<SliceLimits, 'heldBytesMax' | 'ratioMax' | 'unpackedBytesMax'>,
): number {
  const grown = Math.min(packedBytes * limits.ratioMax, limits.unpackedBytesMax);
  return Math.max(RATIO_FREE_BYTES, limits.heldBytesMax, grown);
}

function passOver({ source, encoding }: SlicedFrame, limits: SliceLimits, finerFrom: readonly number[]) {
  const bytesMax = encoding === 'identity' ? source.size : unpackedBytesMax(source.size, limits);
  return new UnpackPass(source, { encoding, bytesMax, finerFrom });
}

interface Beginning extends Disposable {
  readonly bytes: Buffer;
}

/** As much as is held of a run; within the budget until it is disposed of. */
async function beginningOf(source: SliceSource, { heldBytesMax, passes }: SliceLimits): Promise<Beginning> {
  const size = Math.min(source.size, heldBytesMax);
  using reading = new DisposableStack();
  reading.use(await passes.hold(DEAD_LETTER_COPIES * size, null));
  const bytes = Buffer.allocUnsafeSlow(size);
  let read = 0;
  for await (const slice of source.slices()) {
    read += slice.copy(bytes, read);
    if (read === size) break;
  }
  const held = reading.move();
  return { bytes, [Symbol.dispose]: () => held.dispose() };
}
