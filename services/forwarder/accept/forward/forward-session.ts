// One connection of the Forward protocol, once it is admitted: bytes → frames → chunks → intake, and acks back.
//
// Guarantees: an ack is written only after intake said that the chunk is held; a chunk that can't be held ends the
// connection without an ack, so that its sender sends it again, but not before the acks that are owed for chunks before
// it; a chunk that could never be read is acked once the dead letters hold it. Reading stops while intake has no room
// or this connection has too much in flight. A bad frame ends at most its connection.

import type { Socket } from 'node:net';
import { unlessAborted } from '#shared/abort.ts';
import { type Clock, systemClock } from '#shared/clock.ts';
import { FRAME_MALFORMED, NEED_MORE } from '#shared/msgpack/frame-scanner.ts';
import { networkOfPeer } from '#shared/net/networks.ts';
import { type AddressRate, ratedRoom } from '../../admit/address-rates.ts';
import type { Chunk, Room, Undecodable } from '../../intake/chunk.ts';
import { encodeAck, encodeJsonAck } from '../../decode/forward/forward-ack.ts';
import { AckQueue, isWritten, type OwedAnswer } from './ack-queue.ts';
import { UnackedNames } from './equal-chunks.ts';
import { FairSlots } from '../turns/fair-slots.ts';
import { FRAME_UNKEPT, FrameReader } from '../frames/frame-reader.ts';
import { CHUNK_TURN_BYTES, ENTRIES_PER_TURN_BYTE, FRAME_TURN_BYTES, forwardTurn, FrameTurns } from './frame-turns.ts';
import { type FrameOutcomes, type FrameRefusal, FrameTaker } from '../frames/frame-taker.ts';
import type { GateEviction, GateMember, GatePass } from '../gate/gate-network.ts';
import { ANSWER_BYTES_MAX, InFlight } from './in-flight.ts';
import { linger } from '../turns/linger.ts';
import { ReadingGate } from '../gate/reading-gate.ts';
import { type Handed, SessionIntake } from './session-intake.ts';
import { type SessionOptions, type SessionPeer, sliceLimits } from './session-options.ts';
import { type Overdue, SessionWatch } from './session-watch.ts';
import type { SlicedFrame } from '../frames/sliced-frame.ts';
import { Unpacker } from '../frames/unpacker.ts';

/** What an unfinished frame costs beside its bytes. */
const UNFINISHED_OVERHEAD_BYTES = 2048;

export class ForwardSession implements GateMember, FrameOutcomes {
  readonly #socket: Socket;
  readonly #options: SessionOptions;
  readonly #clock: Clock;
  readonly #rate: AddressRate | null;
  readonly #roomOfTenant: Room;
  readonly #gate: ReadingGate;
  readonly #pass: GatePass;
  readonly #watch: SessionWatch;
  readonly #reader: FrameReader;
  readonly #turns: FrameTurns;
  readonly #taker: FrameTaker;
  readonly #address: string;
  readonly #acks: AckQueue;
  readonly #intake: SessionIntake;
  readonly #inFlight: InFlight;
  /** What is being waited for before the next frame is looked at. */
  #held = false;
  /** The peer sends no more. */
  #peerEnded = false;
  /** A chunk was not held: nothing is read any more, and the connection is about to be closed. */
  #refusing = false;
  /** We read no more. */
  #closing = false;
  readonly #gone = new AbortController();
  /** Aborted earlier, for a frame in slices may take long. */
  readonly #slicing = new AbortController();
  readonly #closed = Promise.withResolvers<void>();

  constructor(socket: Socket, options: SessionOptions, from: SessionPeer) {
    this.#socket = socket;
    this.#address = from.address;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const roomOfTenant = options.roomOf?.(from.principal.tenant) ?? options.intake;
    this.#rate = from.rate;
    this.#roomOfTenant = ratedRoom(roomOfTenant, from.rate, { clock: this.#clock, over: this.#gone.signal });
    this.#gate = options.gate ?? new ReadingGate(Infinity, this.#clock);
    const network = networkOfPeer(from.address);
    this.#pass = this.#gate.enter(this, network);
    const { frameTimeoutMs = Infinity, idleTimeoutMs = 0 } = options;
    this.#watch = new SessionWatch({ frameTimeoutMs, idleTimeoutMs }, this.#clock.monotonicMs());
    const { intake, telemetry, unpacking, unpackTurns: turns = new FairSlots(1), turn = forwardTurn() } = options;
    this.#turns = new FrameTurns(turn, network, this.#gone.signal);
    this.#reader = new FrameReader({ ...options, network });
    const room = this.#roomOfTenant;
    const limits = sliceLimits(options, { network, room, signal: this.#slicing.signal });
    const unpacker = new Unpacker({ budget: unpacking, turns, turn, network, room, signal: this.#gone.signal });
    this.#taker = new FrameTaker(from, { limits, unpacker }, this);
    const unackedNames = options.unackedNames ?? new UnackedNames();
    this.#intake = new SessionIntake({ intake, telemetry, limits, unackedNames });
    this.#acks = new AckQueue((answers) => this.#write(answers));
    this.#inFlight = new InFlight(socket, this.#acks);
    socket.on('data', (piece: Buffer) => this.#take(piece));
    // The peer sends no more, but may still wait for acks.
    socket.on('end', () => {
      this.#peerEnded = true;
      this.#endIfDone();
    });
    socket.on('drain', () => {
      this.#inFlight.look();
      this.#report();
    });
    // A connection that breaks is the peer's affair: what it did not hear acked, it sends again.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#gate.leave(this.#pass);
      this.#reader.abandon();
      this.#gone.abort();
      this.#slicing.abort();
      this.#inFlight.look();
      this.#closed.resolve();
    });
    if (from.unread) this.#take(from.unread);
    this.flow();
  }

  /** Reads no more, answers what is in flight, and closes. */
  async close(): Promise<void> {
    // Of a frame whose turn has not come, or that is read for the first time, nothing is taken yet: its sender has it
    // still.
    this.#slicing.abort();
    this.#finish();
    await this.#closed.promise;
  }

  /** For the gate: whether it is us whom this connection waits for. */
  get isWaiting(): boolean {
    return (this.#held || this.#refusing) && this.#socket.writableLength < ANSWER_BYTES_MAX;
  }

  get bytesRead(): number {
    return this.#reader.bytesTaken;
  }

  flow(): void {
    if (this.#closing || this.#socket.destroyed) return;
    if (this.#held || this.#refusing || !this.#gate.mayRead(this.#pass)) this.#socket.pause();
    else if (!this.#peerEnded) this.#socket.resume();
  }

  evict(why: GateEviction): void {
    if (this.#socket.destroyed) return;
    this.#options.telemetry.connectionEnded('forward', why);
    this.#socket.destroy();
    this.#gate.leave(this.#pass);
  }

  /** Closes it where it takes longer than it may; to be called every second or so. */
  checkTimeouts(nowMs: number): void {
    if (this.#closing || this.#refusing) return;
    const overdue = this.#watch.overdue(this.#progress(), nowMs);
    if (overdue !== null) this.#endOverdue(overdue);
  }

  #progress() {
    const { bytesRead, bytesWritten, writableLength } = this.#socket;
    return {
      bytesRead,
      framesRead: this.#reader.progress,
      isInFrame: this.#reader.isInFrame,
      answersWaiting: writableLength,
      answersTaken: bytesWritten - writableLength,
      // Whoever may not read waits for us too.
      isWaiting: this.isWaiting || this.#inFlight.chunks > 0 || !this.#gate.mayRead(this.#pass),
    };
  }

  #endOverdue(why: Overdue): void {
    this.#options.telemetry.connectionEnded('forward', why);
    if (why === 'answers_unread') this.#socket.destroy();
    else this.#finish();
  }

  #take(piece: Buffer): void {
    if (this.#closing) return;
    this.#rate?.take(piece.length);
    this.#reader.push(piece);
    this.#turns.came(piece.length);
    this.#read();
  }

  #read(): void {
    while (!this.#held && !this.#refusing && !this.#closing && !this.#socket.destroyed) {
      if (!this.#hasRoom || !this.#turns.mayGoOn()) {
        this.wait(this.#hasRoom ? this.#turns.next() : this.#room());
        break;
      }
      const frame = this.#reader.next();
      this.#turns.spend(FRAME_TURN_BYTES);
      if (frame === NEED_MORE) {
        // Where its pieces go is slower than its sender.
        if (this.#reader.backlog) this.wait(this.#reader.backlog);
        break;
      }
      if (Buffer.isBuffer(frame)) this.#taker.take(frame, this.#reader.isJson);
      else if (typeof frame === 'object') this.#taker.takeFiled(frame);
      else if (frame === FRAME_MALFORMED) this.refuse('frame_malformed', 'the stream cannot be read on');
      else if (frame === FRAME_UNKEPT) this.refuseAtPace('frame_unkept', this.#reader.failure);
      else this.refuseAtPace('frame_too_large', 'it is larger than any frame that is taken');
    }
    this.#taker.flush();
    this.#turns.rest();
    this.#report();
  }

  /** Tells the gate what is held beside the chunks in flight. */
  #report(): void {
    if (this.#socket.destroyed) return;
    const unfinished = this.#taker.heldBytes + (this.#closing ? 0 : this.#reader.heldBytes);
    const overhead = unfinished > 0 ? UNFINISHED_OVERHEAD_BYTES : 0;
    this.#gate.update(this.#pass, unfinished + overhead + this.#socket.writableLength);
  }

  accept(chunk: Chunk, ack: Buffer | null): void {
    this.#turns.spend(chunk.entries.length / ENTRIES_PER_TURN_BYTE);
    const bytes = chunk.bytes === chunk.entries ? chunk.bytes.length : chunk.bytes.length + chunk.entries.length;
    this.#settle(bytes, ack, this.#intake.accept(chunk, ack !== null));
  }

  acceptSliced(frame: SlicedFrame, ack: Buffer | null): Promise<void> {
    const handed = this.#intake.acceptSliced(frame, ack !== null);
    this.#settle(0, ack, handed);
    return handed.held.catch(() => undefined);
  }

  deadLetter(undecodable: Undecodable, ack: Buffer | null): void {
    this.#settle(undecodable.bytes.length, ack, { held: this.#intake.deadLetter(undecodable), acked: null });
  }

  answer(ack: Buffer): void {
    this.#acks.give(this.#acks.owe(), this.#ack(ack));
  }

  refuse(code: FrameRefusal, detail: string): void {
    this.passOver(code, detail);
    this.#finish();
  }

  refuseAtPace(code: FrameRefusal, detail: string): void {
    this.passOver(code, detail);
    this.#reader.abandon();
    this.#refused();
  }

  passOver(code: FrameRefusal, detail: string): void {
    this.#options.telemetry.chunkRejected('forward', code, detail);
  }

  #write(answers: Uint8Array): boolean {
    const isThere = isWritten(this.#socket, answers);
    // Whoever reads no answers may send no more either. What is less goes out without `drain`, which tells of its end.
    if (this.#socket.writableNeedDrain) this.#report();
    this.#inFlight.look();
    return isThere;
  }

  #ack(chunk: Buffer): Buffer {
    return this.#reader.isJson ? encodeJsonAck(chunk) : encodeAck(chunk);
  }

  #settle(chunkBytes: number, ack: Buffer | null, { held, acked }: Handed): void {
    this.#turns.spend(CHUNK_TURN_BYTES);
    const place: OwedAnswer | null = ack && this.#acks.owe();
    this.#inFlight.begin(chunkBytes);
    void held.then(
      () => {
        if (place && ack) this.#acks.give(place, this.#ack(ack), acked);
        this.#inFlight.end(chunkBytes);
        this.#endIfDone();
      },
      () => {
        if (place) this.#acks.cut(place);
        this.#refused();
        this.#inFlight.end(chunkBytes);
        this.#endIfDone();
      },
    );
  }

  get #hasRoom(): boolean {
    return this.#roomOfTenant.hasRoom && this.#inFlight.hasRoom && this.#mayHold;
  }

  /** Whether there is any use in taking a chunk now. */
  get #mayHold(): boolean {
    return this.#options.pace?.mayRead !== false;
  }

  async #room(): Promise<void> {
    await this.#inFlight.room();
    // Whoever is gone is not kept until there is room.
    await unlessAborted(this.#roomOfTenant.room(this.#gone.signal), this.#gone.signal).catch(() => undefined);
    while (!this.#mayHold && !this.#closing && !this.#socket.destroyed) await this.#options.pace?.recheck();
  }

  /** Neither reads nor looks at frames until `done`. */
  wait(done: Promise<void>): void {
    this.#held = true;
    this.flow();
    void done.then(() => {
      this.#held = false;
      this.#gate.resumed(this.#pass);
      if (this.#closing) return this.#endIfDone();
      this.#read();
      if (this.#held) return;
      // Node tells the end of a paused socket too: frames may have been waiting behind it.
      if (this.#peerEnded) this.#endIfDone();
      else this.flow();
    });
  }

  #refused(): void {
    if (this.#refusing) return;
    this.#refusing = true;
    this.flow();
    const { pace } = this.#options;
    if (pace) void pace.hold(this.#address).then(() => this.#finish());
    else this.#finish();
  }

  #finish(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#socket.pause();
    this.#taker.flush();
    this.#report();
    this.#endIfDone();
  }

  /** Ends our side when every chunk that will be taken has its answer. */
  #endIfDone(): void {
    const done = this.#closing || (this.#peerEnded && !this.#held);
    if (!done || this.#inFlight.chunks > 0 || this.#socket.writableEnded) return;
    this.#acks.flush();
    if (this.#closing && !this.#acks.hasWritten) {
      // It waits for no answers: what it sends from here on must not seem to be taken.
      this.#socket.destroySoon();
      return;
    }
    this.#socket.end();
    if (this.#closing) linger(this.#socket, this.#clock);
  }
}
