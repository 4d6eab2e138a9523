// Decides what becomes of a frame of the Forward protocol: a chunk, a dead letter, a refusal. Knows nothing of sockets,
// nor of intake: it says what is to be done (frame-outcome.ts), and the session of the connection does it.
//
// Guarantees: done in order, the outcomes are chunks in the order of their frames; messages that want no ack and came
// together are one chunk; what could never be read is for the dead letters, and is acked once they hold it.

import { reasonOf } from '#shared/errors.ts';
import { countEntries, isArray } from '#shared/msgpack/extents.ts';
import { type SliceSource, sourceOf } from '#shared/record/unpack-slices.ts';
import { freeBuffer, freeOwn } from '#shared/memory/free-buffer.ts';
import type { Chunk, Undecodable } from '../../intake/chunk.ts';
import {
  ForwardDecoder,
  type ForwardFrame,
  type ForwardRefusal,
  withOwnId,
} from '../../decode/forward/forward-frame.ts';
import { jsonFrame } from '../../decode/forward/json-mode.ts';
import {
  aroundMessage,
  BODY_HEAD_BYTES,
  bodyStart,
  type OversizedFrame,
  oversizedEntries,
} from '../../decode/forward/oversized-frame.ts';
import type { FrameFile } from './frame-file.ts';
import { behind, type FrameOutcome, NOTHING, refused, type Sliced, unkept } from './frame-outcome.ts';
import type { FiledFrame } from './frame-reader.ts';
import { excessOf } from '#shared/record/event-limit.ts';
import { MessageRun } from './message-run.ts';
import { type Sender, SenderTags } from './sender-tags.ts';
import { type SliceLimits, unpackedBytesMax } from './sliced-frame.ts';
import type { Unpacker } from './unpacker.ts';

const NIL = 0xc0;
/** What is larger uncompressed goes on in slices. */
export const CHUNK_UNPACKED_BYTES_MAX = 8 * 1024 * 1024;
/** The tag where a frame has none that can be used. */
const NO_TAG = 'sluice.undecodable';
const TAG_REFUSED = refused('tag_refused', 'its sender may not use the tag');

/** A shorter run is copied, in a microsecond at most: else it would keep the 64 KiB of the read that it came in. */
const COPIED_RUN_BYTES = 12 * 1024;

export interface TakerOptions {
  readonly limits: SliceLimits;
  readonly unpacker: Unpacker;
}

export class FrameTaker {
  readonly #tags: SenderTags;
  readonly #limits: SliceLimits;
  readonly #unpacker: Unpacker;
  readonly #decoder = new ForwardDecoder();
  readonly #run = new MessageRun();
  #decodedBytes = 0;

  constructor(sender: Sender, { limits, unpacker }: TakerOptions) {
    this.#tags = new SenderTags(sender);
    this.#limits = limits;
    this.#unpacker = unpacker;
  }

  /** Bytes of the last frame that were looked at value by value: all but its entries. */
  get decodedBytes(): number {
    return this.#decodedBytes;
  }

  take(scanned: Buffer, isJson: boolean): FrameOutcome {
    this.#decodedBytes = scanned.length;
    const bytes = isJson ? jsonFrame(scanned) : scanned;
    if (!Buffer.isBuffer(bytes)) return behind(this.endRun(), this.#undecodable(scanned, bytes));
    // A short JSON number may be a long one in msgpack: `-0` has nine bytes.
    if (bytes.length > this.#limits.heldBytesMax) {
      return refused('frame_too_large', `its JSON is ${bytes.length} bytes of msgpack`, 'closes_at_pace');
    }
    // Another protocol, or garbage: what follows would be taken byte by byte for frames.
    if (!isArray(bytes[0] ?? 0) && bytes[0] !== NIL) return refused('frame_malformed', 'a frame is an array or nil');
    const frame = this.#decoder.decode(bytes);
    switch (frame.kind) {
      case 'heartbeat':
        return NOTHING;
      case 'signal':
        return signalRefused(frame);
      case 'malformed':
        return behind(this.endRun(), this.#undecodable(bytes, frame));
      case 'message':
        this.#decodedBytes = bytes.length - (frame.end - frame.start);
        // Its entry is copied.
        return this.#message(bytes, frame.chunk || frame.chunkId ? withOwnId(frame) : frame);
      case 'forward':
      case 'packed':
        this.#decodedBytes = bytes.length - (frame.end - frame.start);
        return behind(this.endRun(), this.#entries(bytes, frame));
    }
  }

  /** A frame that came by way of a file. */
  takeFiled({ frame, file }: FiledFrame): FrameOutcome {
    const run = this.endRun();
    const outcome = this.#filed(frame, file).catch((error: unknown) => unkept(reasonOf(error)));
    return behind(run, { kind: 'later', outcome, heldBytes: 0, release: () => file[Symbol.asyncDispose]() });
  }

  /** Messages that wait for others, which now go on without them; null for none. */
  endRun(): Chunk | null {
    return this.#run.count === 0 ? null : this.#runChunk(null);
  }

  async #filed(oversized: OversizedFrame, file: FrameFile): Promise<FrameOutcome> {
    await file.written();
    if (file.failure !== null) return unkept(file.failure);
    const held = file.inMemory();
    if (held) return this.take(held, false);
    const { bytes } = oversized;
    const bodyAt = bodyStart(oversized);
    const bodyHead = bodyAt === null ? null : await file.read(bodyAt, Math.min(bytes, bodyAt + BODY_HEAD_BYTES));
    const frame = bodyHead && oversizedEntries(oversized, bodyHead);
    if (frame?.kind === 'signal') return signalRefused(frame);
    if (frame && frame.kind !== 'malformed') return this.#sliced(file.source(frame.start, frame.end), frame, 0);
    const beginning = await file.read(0, Math.min(bytes, this.#limits.heldBytesMax));
    const cut = beginning.length < bytes;
    if (frame) return this.#undecodable(beginning, frame, { cut });
    if (!cut) return this.take(beginning, false);
    const why = `a message of ${bytes} bytes is larger than ${this.#limits.heldBytesMax}`;
    return this.#undecodable(beginning, { ...aroundMessage(oversized), why }, { reason: 'chunk_too_large', cut });
  }

  /** Messages that want no ack go on together; one that does is a chunk by itself. */
  #message(bytes: Buffer, frame: ForwardFrame): FrameOutcome {
    const tag = this.#tags.admitted(frame.tag);
    if (tag === null) return TAG_REFUSED;
    const isJoined = !frame.chunk && tag === this.#run.tag && this.#mayJoin(frame);
    const before = isJoined ? null : this.endRun();
    this.#run.tag = tag;
    this.#run.add(bytes, frame.start, frame.end);
    if (frame.chunk) return behind(before, { kind: 'chunk', chunk: this.#runChunk(frame.chunkId), ack: frame.chunk });
    return before ? { kind: 'chunk', chunk: before, ack: null } : NOTHING;
  }

  /**
   * Each message brought a tag of its own; those that share a batch have but one, and a long one would be too much for
   * their bytes.
   */
  #mayJoin({ start, end }: ForwardFrame): boolean {
    const { count, tag, length } = this.#run;
    return count === 0 || excessOf({ count: count + 1, tag, bytes: length + 1 + end - start }) === null;
  }

  #runChunk(chunkId: Buffer | null): Chunk {
    const { tag, count, isOwn } = this.#run;
    const entries = this.#run.take();
    // A repeat of one that wants an ack is compared by its bytes.
    const freeBytes = isOwn && chunkId === null ? { freeBytes: () => freeOwn(entries) } : {};
    return { ...this.#tags.origin(tag), chunkId, encoding: 'identity', bytes: entries, entries, count, ...freeBytes };
  }

  #entries(bytes: Buffer, frame: ForwardFrame): FrameOutcome {
    const run = bytes.subarray(frame.start, frame.end);
    // A run that is not copied keeps all of its frame in memory.
    if (run.length >= COPIED_RUN_BYTES && 2 * run.length >= bytes.length) return this.#packed(run, frame);
    return this.#packed(Buffer.from(run), withOwnId(frame));
  }

  #packed(run: Buffer, frame: ForwardFrame): FrameOutcome {
    const { encoding } = frame;
    if (encoding === 'identity') return this.#whole(run, run, frame);
    // The next frame waits, so that chunks are accepted in the order in which they came.
    const unpackedMax = Math.min(
      this.#limits.heldBytesMax,
      CHUNK_UNPACKED_BYTES_MAX,
      unpackedBytesMax(run.length, this.#limits),
    );
    const outcome = this.#unpacker.unpack(run, encoding, unpackedMax).then(
      (entries) =>
        // It is too large to be held, or damaged.
        entries === null ? this.#sliced(sourceOf(run), frame, run.length) : this.#whole(run, entries, frame),
      // The connection is gone, so nobody waits for an answer.
      () => NOTHING,
    );
    return { kind: 'later', outcome, heldBytes: run.length, release: null };
  }

  #whole(bytes: Buffer, entries: Buffer, frame: ForwardFrame): FrameOutcome {
    const { encoding, chunk: ack, chunkId } = frame;
    const count = countEntries(entries, 0, entries.length);
    // As it came, for that is smaller, and is counted.
    if (count < 0) return this.#sliced(sourceOf(bytes), frame, bytes.length);
    if (count === 0) return ack ? { kind: 'empty', ack } : NOTHING;
    const tag = this.#tags.admitted(frame.tag);
    if (tag === null) return TAG_REFUSED;
    const chunk = { ...this.#tags.origin(tag), chunkId, encoding, bytes, entries, count };
    if (entries === bytes) return { kind: 'chunk', chunk, ack };
    return { kind: 'chunk', chunk: { ...chunk, freeEntries: () => freeBuffer(entries) }, ack };
  }

  /** A run that is too large to be held, or has something bad in it. */
  #sliced(source: SliceSource, frame: ForwardFrame, heldBytes: number): Sliced | typeof TAG_REFUSED {
    const { encoding, chunk: ack, chunkId } = frame;
    const tag = this.#tags.admitted(frame.tag);
    if (tag === null) return TAG_REFUSED;
    return { kind: 'sliced', frame: { origin: this.#tags.origin(tag), chunkId, encoding, source }, ack, heldBytes };
  }

  /** What can't be taken now can't be taken later: the dead letters have it, and the sender may forget it. */
  #undecodable(
    bytes: Buffer,
    { tag, why: error, chunk: ack }: Omit<ForwardRefusal, 'kind'>,
    more: Partial<Pick<Undecodable, 'reason' | 'cut'>> = {},
  ): FrameOutcome {
    const origin = this.#tags.origin((tag === null ? null : this.#tags.admitted(tag)) ?? NO_TAG);
    return { kind: 'dead_letter', undecodable: { reason: 'chunk_undecodable', ...origin, bytes, error, ...more }, ack };
  }
}

/**
 * Metrics and traces are never taken, and never acked; where no ack is waited for, there is nobody to refuse them to.
 */
function signalRefused({ why, chunk }: ForwardRefusal): FrameOutcome {
  return refused('signal_refused', why, chunk ? 'closes' : 'goes_on');
}
