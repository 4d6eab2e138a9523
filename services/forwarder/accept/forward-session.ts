// One connection of the Forward protocol: bytes → frames → chunks → intake, and acks back.
//
// Guarantees: an ack is written only after intake said that the chunk is held; a chunk that can't be held ends the connection
// without an ack, so that its sender sends it again; a chunk that could never be read is acked once the dead letters hold it.
// Reading stops while intake has no room or this connection has too much in flight. A bad frame ends at most its connection.

import type { Socket } from 'node:net';
import { type Clock, systemClock } from '#shared/clock.ts';
import { reasonOf } from '#shared/errors.ts';
import { countEntries, isArray } from '#shared/msgpack/extents.ts';
import { FRAME_TOO_LARGE, FrameScanner, NEED_MORE } from '#shared/msgpack/frame-scanner.ts';
import { decompress } from '#shared/record/compression.ts';
import type { Chunk, Intake, Undecodable } from '../chunk.ts';
import { encodeAck, encodeJsonAck } from '../decode/forward-ack.ts';
import { ForwardDecoder, type ForwardFrame, type ForwardRefusal } from '../decode/forward-frame.ts';
import { isJsonMode, jsonFrame, JsonScanner } from '../decode/json-mode.ts';
import type { ForwarderTelemetry } from '../telemetry.ts';
import { Answers } from './answers.ts';
import { MessageRun } from './message-run.ts';

export interface SessionOptions {
  readonly intake: Intake;
  readonly telemetry: ForwarderTelemetry;
  /** Largest frame, also after decompression. */
  readonly frameBytesMax: number;
  readonly clock?: Clock;
}

/** Bytes that one connection may have in flight before it is read no further, so that no single one takes all the room. */
const IN_FLIGHT_BYTES_MAX = 8 * 1024 * 1024;
/** What a chunk in flight costs beside its bytes. */
const CHUNK_OVERHEAD_BYTES = 256;
/** Answers that wait for those before them, and bytes of answers that the peer does not read. */
const ANSWERS_OWED_MAX = 16_384;
const ANSWER_BYTES_MAX = 256 * 1024;
/** How long a peer that keeps its side open may take to read its last answers when we stop. */
const LINGER_MS = 1000;
const NIL = 0xc0;
/** The tag where a frame has none that can be used. */
const NO_TAG = 'sluice.undecodable';

export class ForwardSession {
  readonly #socket: Socket;
  readonly #options: SessionOptions;
  readonly #sender: string;
  /** Which of the two, the first byte tells. */
  #scanner: FrameScanner | JsonScanner;
  #isJson = false;
  #begun = false;
  readonly #decoder = new ForwardDecoder();
  readonly #answers: Answers;
  readonly #run = new MessageRun();
  #inFlightBytes = 0;
  #inFlightChunks = 0;
  /** What is being waited for before the next frame is looked at. */
  #held = false;
  /** The peer sends no more. */
  #peerEnded = false;
  /** We read no more. */
  #closing = false;
  #wake: (() => void) | null = null;
  readonly #closed = Promise.withResolvers<void>();

  constructor(socket: Socket, options: SessionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#sender = senderOf(socket);
    this.#scanner = new FrameScanner(options);
    this.#answers = new Answers((answer) => this.#socket.writable && this.#socket.write(answer));
    options.telemetry.connectionOpened('forward');
    socket.on('data', (piece: Buffer) => {
      if (!this.#begun) this.#begin(piece);
      this.#scanner.push(piece);
      this.#read();
    });
    // The peer sends no more, but may still wait for acks.
    socket.on('end', () => {
      this.#peerEnded = true;
      this.#endIfDone();
    });
    socket.on('drain', () => this.#wake?.());
    // A connection that breaks is the peer's affair: what it did not hear acked, it sends again.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      options.telemetry.connectionClosed('forward');
      this.#wake?.();
      this.#closed.resolve();
    });
  }

  /** Reads no more, answers what is in flight, and closes. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#socket.pause();
    this.#endIfDone();
    await this.#closed.promise;
  }

  #begin(piece: Buffer): void {
    this.#begun = true;
    this.#isJson = isJsonMode(piece[0] ?? 0);
    if (this.#isJson) this.#scanner = new JsonScanner(this.#options);
  }

  #read(): void {
    while (!this.#held && !this.#closing && !this.#socket.destroyed) {
      if (!this.#hasRoom) {
        this.#hold(this.#room());
        break;
      }
      const frame = this.#scanner.next();
      if (frame === NEED_MORE) break;
      if (Buffer.isBuffer(frame)) this.#takeFrame(frame);
      else
        this.#refuse(frame === FRAME_TOO_LARGE ? 'frame_too_large' : 'frame_malformed', 'the stream cannot be read on');
    }
    this.#flushRun();
  }

  #takeFrame(scanned: Buffer): void {
    const bytes = this.#isJson ? jsonFrame(scanned) : scanned;
    if (!Buffer.isBuffer(bytes)) return this.#bury(scanned, bytes);
    // Another protocol, or garbage: what follows would be taken byte by byte for frames.
    if (!isArray(bytes[0] ?? 0) && bytes[0] !== NIL)
      return this.#refuse('frame_malformed', 'a frame is an array or nil');
    const frame = this.#decoder.decode(bytes);
    switch (frame.kind) {
      case 'heartbeat':
        return;
      case 'signal':
        return this.#refuse('signal_refused', frame.why);
      case 'malformed':
        return this.#bury(bytes, frame);
      case 'message':
        return this.#takeMessage(bytes, frame);
      case 'forward':
      case 'packed':
        this.#flushRun();
        return this.#takeEntries(bytes.subarray(frame.start, frame.end), frame);
    }
  }

  /** Messages that want no ack go on together; one that does is a chunk by itself. */
  #takeMessage(bytes: Buffer, frame: ForwardFrame): void {
    if (this.#run.count > 0 && (frame.chunk || frame.tag !== this.#run.tag)) this.#flushRun();
    this.#run.tag = frame.tag;
    this.#run.add(bytes, frame.start, frame.end);
    if (!frame.chunk) return;
    const entries = this.#run.take();
    this.#accept(
      { ...this.#origin(frame.tag), chunkId: frame.chunkId, encoding: 'identity', bytes: entries, entries, count: 1 },
      frame.chunk,
    );
  }

  #flushRun(): void {
    const { tag, count } = this.#run;
    if (count === 0) return;
    const entries = this.#run.take();
    this.#accept({ ...this.#origin(tag), chunkId: null, encoding: 'identity', bytes: entries, entries, count }, null);
  }

  #takeEntries(run: Buffer, frame: ForwardFrame): void {
    if (frame.encoding === 'identity') {
      this.#takeRun(run, run, frame);
      return;
    }
    // The next frame waits, so that chunks are accepted in the order in which they came.
    const unpacked = decompress(run, frame.encoding, this.#options.frameBytesMax);
    this.#hold(
      unpacked.then(
        (entries) => this.#takeRun(run, entries, frame),
        (error: unknown) => this.#buryRun(run, frame, reasonOf(error)),
      ),
    );
  }

  #takeRun(bytes: Buffer, entries: Buffer, frame: ForwardFrame): void {
    const count = countEntries(entries, 0, entries.length);
    if (count < 0) this.#buryRun(bytes, frame, 'it is no run of entries [time, record]');
    else if (count === 0) this.#answerNow(frame.chunk);
    else {
      const { tag, chunkId, encoding } = frame;
      this.#accept({ ...this.#origin(tag), chunkId, encoding, bytes, entries, count }, frame.chunk);
    }
  }

  #accept(chunk: Chunk, ack: Buffer | null): void {
    const answer = ack && this.#answers.owe();
    const bytes = chunk.bytes === chunk.entries ? chunk.bytes.length : chunk.bytes.length + chunk.entries.length;
    this.#settle(bytes, this.#options.intake.accept(chunk), () => ack && answer?.(this.#ack(ack)));
  }

  #bury(frame: Buffer, refusal: ForwardRefusal): void {
    this.#flushRun();
    this.#buryBytes(frame, refusal.tag ?? NO_TAG, refusal.why, refusal.chunk);
  }

  #buryRun(run: Buffer, frame: ForwardFrame, why: string): void {
    this.#buryBytes(run, frame.tag, why, frame.chunk);
  }

  /** What can't be read now can't be read later: the dead letters take it, and the sender may forget it. */
  #buryBytes(bytes: Buffer, tag: string, error: string, ack: Buffer | null): void {
    const undecodable: Undecodable = { ...this.#origin(tag), bytes, reason: 'chunk_undecodable', error };
    const answer = ack && this.#answers.owe();
    this.#settle(bytes.length, this.#options.intake.bury(undecodable), () => ack && answer?.(this.#ack(ack)));
  }

  #answerNow(ack: Buffer | null): void {
    if (ack) this.#answers.owe()(this.#ack(ack));
  }

  #ack(chunk: Buffer): Buffer {
    return this.#isJson ? encodeJsonAck(chunk) : encodeAck(chunk);
  }

  #settle(chunkBytes: number, held: Promise<void>, onHeld: () => void): void {
    const bytes = chunkBytes + CHUNK_OVERHEAD_BYTES;
    this.#inFlightBytes += bytes;
    this.#inFlightChunks++;
    held
      .then(onHeld, () => this.#socket.destroy())
      .finally(() => {
        this.#inFlightBytes -= bytes;
        this.#inFlightChunks--;
        this.#wake?.();
        this.#endIfDone();
      });
  }

  get #hasRoom(): boolean {
    return this.#options.intake.hasRoom && this.#hasOwnRoom;
  }

  get #hasOwnRoom(): boolean {
    return (
      this.#inFlightBytes < IN_FLIGHT_BYTES_MAX &&
      this.#answers.count < ANSWERS_OWED_MAX &&
      this.#socket.writableLength < ANSWER_BYTES_MAX
    );
  }

  async #room(): Promise<void> {
    while (!this.#hasOwnRoom && !this.#socket.destroyed) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
      this.#wake = null;
    }
    await this.#options.intake.room();
  }

  /** Neither reads nor looks at frames until `done`. */
  #hold(done: Promise<void>): void {
    this.#held = true;
    this.#socket.pause();
    void done.then(() => {
      this.#held = false;
      if (this.#closing) return this.#endIfDone();
      this.#read();
      if (this.#held) return;
      // Node tells the end of a paused socket too: frames may have been waiting behind it.
      if (this.#peerEnded) this.#endIfDone();
      else this.#socket.resume();
    });
  }

  /** Nothing that was not taken can be answered: the connection ends, and the sender tries again. */
  #refuse(code: 'frame_too_large' | 'frame_malformed' | 'signal_refused', detail: string): void {
    this.#options.telemetry.chunkRejected('forward', code, detail);
    this.#socket.destroy();
  }

  /** Ends our side when every chunk that will be taken has its answer. */
  #endIfDone(): void {
    const done = this.#closing || (this.#peerEnded && !this.#held);
    if (!done || this.#inFlightChunks > 0 || this.#socket.writableEnded) return;
    this.#socket.end();
    if (!this.#closing) return;
    // Unread input would turn the end into a reset, which can take the last answers with it; so it is read and forgotten.
    this.#socket
      .removeAllListeners('data')
      .on('data', () => undefined)
      .resume();
    (this.#options.clock ?? systemClock).timer(LINGER_MS, () => this.#socket.destroy());
  }

  #origin(tag: string): Pick<Chunk, 'tag' | 'input' | 'tenant' | 'sender'> {
    return { tag, input: 'forward', tenant: null, sender: this.#sender };
  }
}

/** The peer's address without its port, which changes with each connection; of a unix socket, the machine itself. */
function senderOf(socket: Socket): string {
  const address = socket.remoteAddress ?? 'unix';
  return address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
}
