// Takes a run of entries that is too large to be held, or damaged: a first pass finds its name, a second gives its entries to intake,
// slice by slice. What is whole goes on; only what is bad goes to the dead letters.
//
//   pass 1   decompress, checksum, count     → the identity of the batch, the same as that of a small chunk with this content
//   pass 2   decompress, cut into entries    → slices of the one batch, each entry under its own index
//
// Guarantees: resolves only when every byte is held, by the queue or by the dead letters; the same bytes have the same identity and
// the same indexes each time; a few slices are in memory at once, and other senders' records go between them.

import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import type { ByteBudget, Permit } from '#shared/byte-budget.ts';
import { SluiceError } from '#shared/errors.ts';
import { type Cut, EntryCutter, type Rest } from '#shared/msgpack/entry-cutter.ts';
import type { Encoding } from '#shared/record/record.ts';
import { type Damage, type SliceSource, UnpackPass } from '#shared/record/unpack-slices.ts';
import type { Origin, SlicedChunk, SlicedIntake, Slices, Undecodable } from '../chunk.ts';

export interface SlicedFrame {
  readonly origin: Origin;
  readonly chunkId: Uint8Array | null;
  readonly encoding: Encoding;
  /** The run as it was sent. */
  readonly source: SliceSource;
}

export interface SliceLimits {
  /** Largest entry, and the most of what is damaged that goes to the dead letters. */
  readonly heldBytesMax: number;
  /** What a compressed run may grow by, beyond `heldBytesMax` and `RATIO_FREE_BYTES`. */
  readonly ratioMax: number;
  /** For entries that are large enough to matter. */
  readonly unpacking: ByteBudget;
  /** Aborted when the connection is gone. */
  readonly signal: AbortSignal;
}

/** However small a compressed run is, it may grow to this, and to what may come uncompressed: zstd shrinks a chunk of equal lines 8000 times. */
const RATIO_FREE_BYTES = 8 * 1024 * 1024;
/** A few slices. */
const LARGE_ENTRY_BYTES = 1024 * 1024;
/** The pieces of an entry are joined at its end. */
const CUTTER_COPIES = 2;
/** Of one slice, without a turn of the event loop between: a slice may be all bad values, and each is a cut of its own. */
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
  let survey = await surveyOf(frame, limits, []);
  for (let finer = survey.pass.finerFrom; finer !== null; finer = survey.pass.finerFrom) {
    survey = await surveyOf(frame, limits, finer);
  }
  const { origin, chunkId, source } = frame;
  const { damage } = survey.pass;
  if (survey.length === 0 && !damage) return;
  const bury = async (reason: Undecodable['reason'], error: string): Promise<void> => {
    const bytes = await beginningOf(source, limits.heldBytesMax);
    await intake.bury({ ...origin, bytes, reason, error, cut: bytes.length < source.size });
  };
  if (damage?.isTooLarge || survey.entries === 0) {
    const reason = damage?.isTooLarge ? 'chunk_too_large' : 'chunk_undecodable';
    return bury(reason, damage ? `Cannot decompress the chunk: ${damage.why}` : 'it has no entry [time, record]');
  }
  const { count, head, length } = survey;
  const chunk = { ...origin, chunkId, content: { crc32: survey.crc32, length }, head, count, sentBytes: source.size };
  try {
    await intake.acceptSlices(named(chunk), (slices) => feed(frame, limits, survey, slices));
  } catch (error) {
    if (!isExcess(error)) throw error;
    await bury('too_many_events', error.message);
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
  const cutter = new EntryCutter(limits.heldBytesMax, { lends: true });
  let sum = 0;
  let length = 0;
  let count = 0;
  let entries = 0;
  const tally = (cut: Cut): void => {
    count += cut.count;
    if (cut.kind === 'entries') entries += cut.count;
  };
  let head = Buffer.alloc(0);
  using large = new LargeEntry(cutter, limits, limits.signal);
  for await (const slice of pass.slices()) {
    limits.signal.throwIfAborted();
    sum = crc32(slice, sum);
    length += slice.length;
    if (head.length < HEAD_BYTES) head = Buffer.concat([head, slice.subarray(0, HEAD_BYTES - head.length)]);
    for await (const cut of inTurns(cutter.push(slice))) tally(cut);
    await large.fit();
  }
  for (const cut of cutter.end()) tally(cut);
  return { pass, crc32: sum, length, head, count, entries };
}

async function feed(frame: SlicedFrame, limits: SliceLimits, survey: Survey, slices: Slices): Promise<void> {
  const pass = passOver(frame, limits, survey.pass.usedFinerFrom);
  const cutter = new EntryCutter(limits.heldBytesMax, { lends: true });
  let first = 0;
  const give = async (cut: Cut): Promise<void> => {
    const { bytes, count } = cut;
    if (cut.kind === 'entries') await slices.add(bytes, first, count);
    else await slices.reject({ bytes, first, count, why: cut.why, cut: cut.cut ?? false });
    first += count;
  };
  // What was begun is brought to its end, whoever is gone.
  using large = new LargeEntry(cutter, limits, null);
  for await (const slice of pass.slices()) {
    for await (const cut of inTurns(cutter.push(slice))) await give(cut);
    await large.fit();
  }
  const end = cutter.end();
  let last = end.next();
  for (; last.done !== true; last = end.next()) await give(last.value);
  assert(first === survey.count && pass.damage?.at === survey.pass.damage?.at, 'both passes find the same');
  const unread = await unreadOf(frame, limits, pass.damage, last.value);
  if (unread) await slices.rejectRest({ ...unread, why: `${unread.why}; ${first} entries before it went on` });
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
  readonly #cutter: EntryCutter;
  readonly #limits: SliceLimits;
  readonly #signal: AbortSignal | null;
  #permit: Permit | null = null;

  constructor(cutter: EntryCutter, limits: SliceLimits, signal: AbortSignal | null) {
    this.#cutter = cutter;
    this.#limits = limits;
    this.#signal = signal;
  }

  /** Resolves when it may grow to its limit, or there is none. */
  async fit(): Promise<void> {
    const isLarge = this.#cutter.heldBytes > LARGE_ENTRY_BYTES;
    if (isLarge === (this.#permit !== null)) return;
    if (!isLarge) return this[Symbol.dispose]();
    const { unpacking, heldBytesMax } = this.#limits;
    this.#permit = await unpacking.acquire(CUTTER_COPIES * heldBytesMax, this.#signal ?? undefined);
  }

  [Symbol.dispose](): void {
    this.#permit?.[Symbol.dispose]();
    this.#permit = null;
  }
}

/** What no entry could be made of. Where decompression failed, only the compressed bytes have all of it. */
async function unreadOf(frame: SlicedFrame, limits: SliceLimits, damage: Damage | null, rest: Rest | null) {
  if (damage) {
    const { source, encoding } = frame;
    const bytes = await beginningOf(source, limits.heldBytesMax);
    return { bytes, why: `Cannot decompress ${encoding}: ${damage.why}`, cut: bytes.length < source.size };
  }
  return rest && { bytes: rest.bytes, why: rest.why, cut: rest.bytes.length < rest.size };
}

/** What so many compressed bytes may hold. */
export function unpackedBytesMax(
  packedBytes: number,
  { heldBytesMax, ratioMax }: Pick<SliceLimits, 'heldBytesMax' | 'ratioMax'>,
): number {
  return Math.max(RATIO_FREE_BYTES, heldBytesMax, packedBytes * ratioMax);
}

function passOver({ source, encoding }: SlicedFrame, limits: SliceLimits, finerFrom: readonly number[]) {
  const bytesMax = encoding === 'identity' ? source.size : unpackedBytesMax(source.size, limits);
  return new UnpackPass(source, { encoding, bytesMax, finerFrom });
}

async function beginningOf(source: SliceSource, bytesMax: number): Promise<Buffer> {
  const beginning = Buffer.allocUnsafeSlow(Math.min(source.size, bytesMax));
  let bytes = 0;
  for await (const slice of source.slices()) {
    bytes += slice.copy(beginning, bytes);
    if (bytes === beginning.length) break;
  }
  return beginning;
}
