// What becomes of a frame of the Forward protocol: a chunk, a dead letter, a refusal. Knows nothing of sockets; what it
// decides, its session does.
//
// Guarantees: chunks come in the order of their frames; messages that want no ack and came together are one chunk.

import { reasonOf, SluiceError } from '#shared/errors.ts';
import { countEntries, isArray } from '#shared/msgpack/extents.ts';
import type { Encoding } from '#shared/record/record.ts';
import { type SliceSource, sourceOf } from '#shared/record/unpack-slices.ts';
import { freeDecompressed } from '#shared/record/compression.ts';
import type { Chunk, Origin, Undecodable } from '../../intake/chunk.ts';
import {
  ForwardDecoder,
  type ForwardFrame,
  type ForwardRefusal,
  holdsTooMuch,
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
import { type Principal, allowedTag } from '../../intake/principal.ts';
import type { FrameFile } from './frame-file.ts';
import type { FiledFrame } from './frame-reader.ts';
import { excessOf } from '../../intake/event-limit.ts';
import { MessageRun } from './message-run.ts';
import { type SlicedFrame, type SliceLimits, unpackedBytesMax } from './sliced-frame.ts';
import type { Unpacker } from './unpacker.ts';

const NIL = 0xc0;
/** What is larger uncompressed goes on in slices. */
export const CHUNK_UNPACKED_BYTES_MAX = 8 * 1024 * 1024;
/** The tag where a frame has none that can be used. */
const NO_TAG = 'sluice.undecodable';

export type FrameRefusal = 'frame_too_large' | 'frame_unkept' | 'frame_malformed' | 'signal_refused' | 'tag_refused';

/** Who is at the other end. */
export interface Sender {
  /** Hostname of an authenticated sender, else the peer's address. */
  readonly sender: string;
  readonly address?: string;
  readonly principal: Principal;
}

/** What is smaller is copied, a microsecond at most: else it would keep the 64 KiB of the read that it came in. */
const OWN_RUN_BYTES = 12 * 1024;

/** `ack`: the chunk id as msgpack, to be answered when it is held; null where none is wanted. */
export interface FrameOutcomes {
  accept(chunk: Chunk, ack: Buffer | null): void;
  /** Resolves when it is held or refused; never rejects. The next frame must wait for it. */
  acceptSliced(frame: SlicedFrame, ack: Buffer | null): Promise<void>;
  deadLetter(undecodable: Undecodable, ack: Buffer | null): void;
  /** There was nothing in the chunk, so it is held already. */
  answer(ack: Buffer): void;
  /** The connection ends: what was not taken is not answered. */
  refuse(code: FrameRefusal, detail: string): void;
  /** The same, but its sender will come back with it at once, so it hears of it only after a while. */
  refuseAtPace(code: FrameRefusal, detail: string): void;
  /** Passed over, without an answer. */
  passOver(code: FrameRefusal, detail: string): void;
  /** The next frame comes when it is done. */
  wait(done: Promise<void>): void;
}

export interface TakerOptions {
  readonly limits: SliceLimits;
  readonly unpacker: Unpacker;
}

export class FrameTaker {
  readonly #sender: Sender;
  readonly #limits: SliceLimits;
  readonly #unpacker: Unpacker;
  readonly #outcomes: FrameOutcomes;
  readonly #decoder = new ForwardDecoder();
  readonly #run = new MessageRun();
  /** The last tag as it came, and as it goes on. */
  #tag = '';
  #admittedTag: string | null = null;
  /** Bytes of a frame that waits to be opened, or is taken in slices. */
  heldBytes = 0;

  constructor(sender: Sender, { limits, unpacker }: TakerOptions, outcomes: FrameOutcomes) {
    this.#sender = sender;
    this.#limits = limits;
    this.#unpacker = unpacker;
    this.#outcomes = outcomes;
  }

  take(scanned: Buffer, isJson: boolean): void {
    const done = this.#decide(scanned, isJson);
    if (done) this.#outcomes.wait(done);
  }

  /** A frame that came by way of a file. */
  takeFiled({ frame, file }: FiledFrame): void {
    this.flush();
    const unreadable = (error: unknown): void => this.#outcomes.refuseAtPace('frame_unkept', reasonOf(error));
    this.#outcomes.wait(
      this.#decideFiled(frame, file)
        .catch(unreadable)
        .then(() => file[Symbol.asyncDispose]().catch(unreadable)),
    );
  }

  /** A promise, which never rejects, where the next frame has to wait. */
  #decide(scanned: Buffer, isJson: boolean): Promise<void> | null {
    const bytes = isJson ? jsonFrame(scanned) : scanned;
    if (!Buffer.isBuffer(bytes)) return this.#deadLetter(scanned, bytes);
    // A short JSON number may be a long one in msgpack: `-0` has nine bytes.
    if (bytes.length > this.#limits.heldBytesMax) {
      this.#outcomes.refuseAtPace('frame_too_large', `its JSON is ${bytes.length} bytes of msgpack`);
      return null;
    }
    // Another protocol, or garbage: what follows would be taken byte by byte for frames.
    if (!isArray(bytes[0] ?? 0) && bytes[0] !== NIL) {
      this.#outcomes.refuse('frame_malformed', 'a frame is an array or nil');
      return null;
    }
    const frame = this.#decoder.decode(bytes);
    switch (frame.kind) {
      case 'heartbeat':
        return null;
      case 'signal':
        return this.#takeSignal(frame);
      case 'malformed':
        return this.#deadLetter(bytes, frame);
      case 'message':
        // Its entry is copied.
        return this.#takeMessage(bytes, frame.chunk || frame.chunkId ? withOwnId(frame) : frame);
      case 'forward':
      case 'packed': {
        this.flush();
        const run = bytes.subarray(frame.start, frame.end);
        if (run.length >= OWN_RUN_BYTES && !holdsTooMuch(bytes.length, 2 * run.length))
          return this.#takeEntries(run, frame);
        return this.#takeEntries(Buffer.from(run), withOwnId(frame));
      }
    }
  }

  async #decideFiled(oversized: OversizedFrame, file: FrameFile): Promise<void> {
    await file.written();
    if (file.failure !== null) return this.#outcomes.refuseAtPace('frame_unkept', file.failure);
    const held = file.inMemory();
    if (held) return (await this.#decide(held, false)) ?? undefined;
    const { bytes } = oversized;
    const bodyAt = bodyStart(oversized);
    const bodyHead = bodyAt === null ? null : await file.read(bodyAt, Math.min(bytes, bodyAt + BODY_HEAD_BYTES));
    const frame = bodyHead && oversizedEntries(oversized, bodyHead);
    if (frame?.kind === 'signal') return void this.#takeSignal(frame);
    if (frame && frame.kind !== 'malformed') {
      return this.#takeSliced(file.source(frame.start, frame.end), frame.encoding, frame);
    }
    const beginning = await file.read(0, Math.min(bytes, this.#limits.heldBytesMax));
    const cut = beginning.length < bytes;
    if (frame) return this.#deadLetterBytes({ bytes: beginning, tag: frame.tag, error: frame.why, cut }, frame.chunk);
    if (!cut) return (await this.#decide(beginning, false)) ?? undefined;
    const error = `a message of ${bytes} bytes is larger than ${this.#limits.heldBytesMax}`;
    const { tag, chunk } = aroundMessage(oversized);
    this.#deadLetterBytes({ bytes: beginning, tag, error, reason: 'chunk_too_large', cut }, chunk);
  }

  /** Messages that wait for others go on. */
  flush(): void {
    const { tag, count } = this.#run;
    if (count === 0) return;
    const entries = this.#run.take();
    const origin = this.#origin(tag);
    this.#outcomes.accept({ ...origin, chunkId: null, encoding: 'identity', bytes: entries, entries, count }, null);
  }

  /**
   * Metrics and traces are never taken, and never acked; where no ack is waited for, there is nobody to refuse them to.
   */
  #takeSignal({ why, chunk }: ForwardRefusal): null {
    if (chunk) this.#outcomes.refuse('signal_refused', why);
    else this.#outcomes.passOver('signal_refused', why);
    return null;
  }

  /** Messages that want no ack go on together; one that does is a chunk by itself. */
  #takeMessage(bytes: Buffer, frame: ForwardFrame): null {
    const tag = this.#admitted(frame.tag);
    if (tag === null) return null;
    if (this.#run.count > 0 && (frame.chunk || tag !== this.#run.tag || !this.#mayJoin(frame))) this.flush();
    this.#run.tag = tag;
    this.#run.add(bytes, frame.start, frame.end);
    if (!frame.chunk) return null;
    const entries = this.#run.take();
    const { chunk, chunkId } = frame;
    const origin = this.#origin(tag);
    this.#outcomes.accept({ ...origin, chunkId, encoding: 'identity', bytes: entries, entries, count: 1 }, chunk);
    return null;
  }

  /**
   * Each message brought a tag of its own; those that share a batch have but one, and a long one would be too much for
   * their bytes.
   */
  #mayJoin({ start, end }: ForwardFrame): boolean {
    const { count, tag, length } = this.#run;
    return excessOf({ count: count + 1, tag, bytes: length + 1 + end - start }) === null;
  }

  #takeEntries(run: Buffer, frame: ForwardFrame): Promise<void> | null {
    const { encoding } = frame;
    if (encoding === 'identity') return this.#takeRun(run, run, frame);
    // The next frame waits, so that chunks are accepted in the order in which they came.
    const unpackedMax = Math.min(
      this.#limits.heldBytesMax,
      CHUNK_UNPACKED_BYTES_MAX,
      unpackedBytesMax(run.length, this.#limits),
    );
    const taken = this.#unpacker.unpack(run, encoding, unpackedMax).then(
      (entries) =>
        // It is too large to be held, or damaged.
        entries === null ? this.#takeSliced(sourceOf(run), encoding, frame) : this.#takeRun(run, entries, frame),
      // The connection is gone, so nobody waits for an answer.
      () => undefined,
    );
    return this.#while(run, taken);
  }

  /** The bytes are held until it is done. */
  async #while(held: Buffer, done: Promise<unknown>): Promise<void> {
    this.heldBytes = held.length;
    try {
      await done;
    } finally {
      this.heldBytes = 0;
    }
  }

  #takeRun(bytes: Buffer, entries: Buffer, frame: ForwardFrame): Promise<void> | null {
    const { encoding, chunk, chunkId } = frame;
    const count = countEntries(entries, 0, entries.length);
    // As it came, for that is smaller, and is counted.
    if (count < 0) return this.#while(bytes, this.#takeSliced(sourceOf(bytes), encoding, frame));
    if (count === 0) {
      if (chunk) this.#outcomes.answer(chunk);
      return null;
    }
    const tag = this.#admitted(frame.tag);
    if (tag === null) return null;
    const run = { ...this.#origin(tag), chunkId, encoding, bytes, entries, count };
    this.#outcomes.accept(entries === bytes ? run : { ...run, freeEntries: () => freeDecompressed(entries) }, chunk);
    return null;
  }

  /** A run that is too large to be held, or has something bad in it. */
  async #takeSliced(source: SliceSource, encoding: Encoding, { tag, chunkId, chunk }: ForwardFrame): Promise<void> {
    const admitted = this.#admitted(tag);
    if (admitted === null) return;
    await this.#outcomes.acceptSliced({ origin: this.#origin(admitted), chunkId, encoding, source }, chunk);
  }

  #deadLetter(frame: Buffer, { tag, why, chunk }: ForwardRefusal): null {
    this.flush();
    this.#deadLetterBytes({ bytes: frame, tag, error: why }, chunk);
    return null;
  }

  /** What can't be taken now can't be taken later: the dead letters have it, and the sender may forget it. */
  #deadLetterBytes({ tag, ...facts }: UndecodableFrame, ack: Buffer | null): void {
    const usable = tag === null ? null : this.#usable(tag);
    this.#outcomes.deadLetter({ reason: 'chunk_undecodable', ...this.#origin(usable ?? NO_TAG), ...facts }, ack);
  }

  /** Null where the sender may not use the tag; then its connection ends. */
  #admitted(tag: string): string | null {
    if (tag !== this.#tag || this.#admittedTag === null) {
      this.#tag = tag;
      this.#admittedTag = this.#usable(tag);
    }
    if (this.#admittedTag === null) this.#outcomes.refuse('tag_refused', 'its sender may not use the tag');
    return this.#admittedTag;
  }

  #usable(tag: string): string | null {
    try {
      return allowedTag(this.#sender.principal, tag);
    } catch (error) {
      if (error instanceof SluiceError) return null;
      throw error;
    }
  }

  #origin(tag: string): Origin {
    const { principal, sender, address } = this.#sender;
    const origin = { tag, input: 'forward', tenant: principal.tenant, sender } as const;
    return address === undefined || address === sender ? origin : { ...origin, peerAddress: address };
  }
}

interface UndecodableFrame {
  readonly bytes: Buffer;
  readonly tag: string | null;
  readonly error: string;
  readonly reason?: Undecodable['reason'];
  readonly cut?: boolean;
}
