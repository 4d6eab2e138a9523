// What becomes of a frame of the Forward protocol: a chunk, a dead letter, a refusal. Knows nothing of sockets; what it decides, its
// session does.
//
// Guarantees: chunks come in the order of their frames; messages that want no ack and came together are one chunk.

import { reasonOf, SluiceError } from '#shared/errors.ts';
import { countEntries, isArray } from '#shared/msgpack/extents.ts';
import { decompress } from '#shared/record/compression.ts';
import type { Chunk, Undecodable } from '../chunk.ts';
import { ForwardDecoder, type ForwardFrame, type ForwardRefusal } from '../decode/forward-frame.ts';
import { jsonFrame } from '../decode/json-mode.ts';
import type { OversizedFrame } from '../decode/oversized-frame.ts';
import { type Principal, tagOfPrincipal } from '../principal.ts';
import { MessageRun } from './message-run.ts';

const NIL = 0xc0;
/** The tag where a frame has none that can be used. */
const NO_TAG = 'sluice.undecodable';

export type FrameRefusal = 'frame_too_large' | 'frame_malformed' | 'signal_refused' | 'tag_refused';

/** Who is at the other end. */
export interface Sender {
  /** Hostname of an authenticated sender, else the peer's address. */
  readonly sender: string;
  readonly principal: Principal;
}

/** `ack`: the chunk id as msgpack, to be answered when it is held; null where none is wanted. */
export interface FrameOutcomes {
  accept(chunk: Chunk, ack: Buffer | null): void;
  bury(undecodable: Undecodable, ack: Buffer | null): void;
  /** There was nothing in the chunk, so it is held already. */
  answer(ack: Buffer): void;
  /** The connection ends: what was not taken is not answered. */
  refuse(code: FrameRefusal, detail: string): void;
  /** Passed over, without an answer. */
  passOver(code: FrameRefusal, detail: string): void;
  /** The next frame comes when it is done. */
  wait(done: Promise<void>): void;
}

export class FrameTaker {
  readonly #sender: Sender;
  readonly #frameBytesMax: number;
  readonly #outcomes: FrameOutcomes;
  readonly #decoder = new ForwardDecoder();
  readonly #run = new MessageRun();
  /** The last tag as it came, and as it goes on. */
  #tag = '';
  #admittedTag: string | null = null;

  /** `frameBytesMax`: of a chunk after decompression. */
  constructor(sender: Sender, frameBytesMax: number, outcomes: FrameOutcomes) {
    this.#sender = sender;
    this.#frameBytesMax = frameBytesMax;
    this.#outcomes = outcomes;
  }

  take(scanned: Buffer, isJson: boolean): void {
    const bytes = isJson ? jsonFrame(scanned) : scanned;
    if (!Buffer.isBuffer(bytes)) return this.#bury(scanned, bytes);
    // Another protocol, or garbage: what follows would be taken byte by byte for frames.
    if (!isArray(bytes[0] ?? 0) && bytes[0] !== NIL) {
      this.#outcomes.refuse('frame_malformed', 'a frame is an array or nil');
      return;
    }
    const frame = this.#decoder.decode(bytes);
    switch (frame.kind) {
      case 'heartbeat':
        return;
      case 'signal':
        return this.#takeSignal(frame);
      case 'malformed':
        return this.#bury(bytes, frame);
      case 'message':
        return this.#takeMessage(bytes, frame);
      case 'forward':
      case 'packed':
        this.flush();
        return this.#takeEntries(bytes.subarray(frame.start, frame.end), frame);
    }
  }

  takeOversized({ head, bytes, tag, chunk }: OversizedFrame): void {
    this.flush();
    const error = `a frame of ${bytes} bytes is larger than ${this.#frameBytesMax}`;
    this.#buryBytes({ bytes: head, tag, error, reason: 'chunk_too_large', cut: true }, chunk);
  }

  /** Messages that wait for others go on. */
  flush(): void {
    const { tag, count } = this.#run;
    if (count === 0) return;
    const entries = this.#run.take();
    const origin = this.#origin(tag);
    this.#outcomes.accept({ ...origin, chunkId: null, encoding: 'identity', bytes: entries, entries, count }, null);
  }

  /** Metrics and traces are never taken, and never acked; where no ack is waited for, there is nobody to refuse them to. */
  #takeSignal({ why, chunk }: ForwardRefusal): void {
    if (chunk) this.#outcomes.refuse('signal_refused', why);
    else this.#outcomes.passOver('signal_refused', why);
  }

  /** Messages that want no ack go on together; one that does is a chunk by itself. */
  #takeMessage(bytes: Buffer, frame: ForwardFrame): void {
    const tag = this.#admitted(frame.tag);
    if (tag === null) return;
    if (this.#run.count > 0 && (frame.chunk || tag !== this.#run.tag)) this.flush();
    this.#run.tag = tag;
    this.#run.add(bytes, frame.start, frame.end);
    if (!frame.chunk) return;
    const entries = this.#run.take();
    const { chunk, chunkId } = frame;
    const origin = this.#origin(tag);
    this.#outcomes.accept({ ...origin, chunkId, encoding: 'identity', bytes: entries, entries, count: 1 }, chunk);
  }

  #takeEntries(run: Buffer, frame: ForwardFrame): void {
    if (frame.encoding === 'identity') {
      this.#takeRun(run, run, frame);
      return;
    }
    // The next frame waits, so that chunks are accepted in the order in which they came.
    const unpacked = decompress(run, frame.encoding, this.#frameBytesMax);
    this.#outcomes.wait(
      unpacked.then(
        (entries) => this.#takeRun(run, entries, frame),
        (error: unknown) => this.#buryBytes({ bytes: run, tag: frame.tag, error: reasonOf(error) }, frame.chunk),
      ),
    );
  }

  #takeRun(bytes: Buffer, entries: Buffer, frame: ForwardFrame): void {
    const { encoding, chunk, chunkId } = frame;
    const count = countEntries(entries, 0, entries.length);
    if (count < 0) {
      this.#buryBytes({ bytes, tag: frame.tag, error: 'it is no run of entries [time, record]' }, chunk);
    } else if (count === 0) {
      if (chunk) this.#outcomes.answer(chunk);
    } else {
      const tag = this.#admitted(frame.tag);
      if (tag === null) return;
      this.#outcomes.accept({ ...this.#origin(tag), chunkId, encoding, bytes, entries, count }, chunk);
    }
  }

  #bury(frame: Buffer, { tag, why, chunk }: ForwardRefusal): void {
    this.flush();
    this.#buryBytes({ bytes: frame, tag, error: why }, chunk);
  }

  /** What can't be taken now can't be taken later: the dead letters have it, and the sender may forget it. */
  #buryBytes({ tag, ...facts }: Burial, ack: Buffer | null): void {
    const usable = tag === null ? null : this.#usable(tag);
    this.#outcomes.bury({ reason: 'chunk_undecodable', ...this.#origin(usable ?? NO_TAG), ...facts }, ack);
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
      return tagOfPrincipal(this.#sender.principal, tag);
    } catch (error) {
      if (error instanceof SluiceError) return null;
      throw error;
    }
  }

  #origin(tag: string): Pick<Chunk, 'tag' | 'input' | 'tenant' | 'sender'> {
    const { principal, sender } = this.#sender;
    return { tag, input: 'forward', tenant: principal.tenant, sender };
  }
}

interface Burial {
  readonly bytes: Buffer;
  readonly tag: string | null;
  readonly error: string;
  readonly reason?: Undecodable['reason'];
  readonly cut?: boolean;
}
