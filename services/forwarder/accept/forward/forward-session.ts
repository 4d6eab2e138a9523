// One admitted connection of the Forward protocol: bytes → frames → intake, and acks back (chunk-acks.ts).
//   reading ⇄ waiting      for room, a turn, a file, or what becomes of a frame: nothing is read meanwhile
//      └──┬──┘
//      refusing            a chunk was not stored: the connection is closed after a while
//      closing             nothing is read any more; what is in flight is answered
//
// Guarantees: a chunk that can't be stored ends the connection without an ack, so that its sender sends it again, but
// not before the acks that are owed for chunks before it. Reading stops while intake has no room, or this connection
// has too much in flight. A bad frame ends at most its connection.

import type { Socket } from 'node:net';
import { unlessAborted } from '#shared/abort.ts';
import { reasonOf } from '#shared/errors.ts';
import { FRAME_MALFORMED, NEED_MORE } from '#shared/msgpack/frame-scanner.ts';
import { AcceptedChunks } from './chunk-acks.ts';
import { type FrameOutcome, type Later, type Refused, refused, type Sliced, unkept } from '../frames/frame-outcome.ts';
import { FRAME_UNKEPT, type NextFrame } from '../frames/frame-reader.ts';
import type { GateEviction, GateMember, GatePass } from '../gate/gate-network.ts';
import { ANSWER_BYTES_MAX } from './in-flight.ts';
import { linger } from '../turns/linger.ts';
import type { SessionOptions, SessionPeer } from './session-options.ts';
import { type SessionParts, sessionParts, UNFINISHED_OVERHEAD_BYTES } from './session-parts.ts';
import type { Progress } from './session-watch.ts';

type Pump = 'reading' | 'waiting' | 'refusing' | 'closing';

export class ForwardSession implements GateMember {
  readonly #socket: Socket;
  readonly #from: SessionPeer;
  readonly #options: SessionOptions;
  readonly #parts: SessionParts;
  readonly #pass: GatePass;
  readonly #chunks: AcceptedChunks;
  #pump: Pump = 'reading';
  /** Of a frame that waits to be opened, or goes on in slices. */
  #waitingBytes = 0;
  readonly #gone = new AbortController();
  /** Aborted earlier, for a frame in slices may take long. */
  readonly #slicing = new AbortController();
  readonly #closed = Promise.withResolvers<void>();

  constructor(socket: Socket, options: SessionOptions, from: SessionPeer) {
    this.#socket = socket;
    this.#from = from;
    this.#options = options;
    this.#parts = sessionParts(options, from, { gone: this.#gone.signal, slicing: this.#slicing.signal });
    const { gate, network, chunks } = this.#parts;
    this.#pass = gate.enter(this, network);
    this.#chunks = new AcceptedChunks({
      ...chunks,
      socket,
      refused: () => this.#closeAtPace(),
      settled: () => this.#endIfDone(),
      unread: () => this.#report(),
    });
    this.#listen();
    if (from.unread) this.#push(from.unread);
    this.flow();
  }

  #listen(): void {
    const socket = this.#socket;
    socket.on('data', (piece: Buffer) => this.#push(piece));
    // The peer may still wait for acks.
    socket.on('end', () => this.#endIfDone());
    socket.on('drain', () => {
      this.#chunks.drained();
      this.#report();
    });
    // A connection that breaks is the peer's affair: what it did not hear acked, it sends again.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#parts.gate.leave(this.#pass);
      this.#parts.reader.abandon();
      this.#gone.abort();
      this.#slicing.abort();
      this.#chunks.drained();
      this.#closed.resolve();
    });
  }

  /** Reads no more, answers what is in flight, and closes. */
  async close(): Promise<void> {
    // Nothing is taken yet of a frame whose turn has not come, or that is read for the first time.
    this.#slicing.abort();
    this.#close();
    await this.#closed.promise;
  }

  /** For the gate: whether it is us whom this connection waits for. */
  get isWaiting(): boolean {
    return this.#pump !== 'reading' && this.#socket.writableLength < ANSWER_BYTES_MAX;
  }

  get bytesRead(): number {
    return this.#parts.reader.bytesTaken;
  }

  flow(): void {
    if (this.#pump === 'closing' || this.#socket.destroyed) return;
    if (this.#pump !== 'reading' || !this.#parts.gate.mayRead(this.#pass)) this.#socket.pause();
    else if (!this.#socket.readableEnded) this.#socket.resume();
  }

  evict(why: GateEviction): void {
    if (this.#socket.destroyed) return;
    this.#options.telemetry.connectionEnded('forward', why);
    this.#socket.destroy();
    this.#parts.gate.leave(this.#pass);
  }

  /** Closes it where it takes longer than it may; to be called every second or so. */
  checkTimeouts(nowMs: number): void {
    if (this.#pump === 'closing' || this.#pump === 'refusing') return;
    const why = this.#parts.watch.overdue(this.#progress(), nowMs);
    if (why === null) return;
    this.#options.telemetry.connectionEnded('forward', why);
    if (why === 'answers_unread') this.#socket.destroy();
    else this.#close();
  }

  #progress(): Progress {
    const { bytesRead, bytesWritten, writableLength } = this.#socket;
    return {
      bytesRead,
      framesRead: this.#parts.reader.progress,
      isInFrame: this.#parts.reader.isInFrame,
      answersWaiting: writableLength,
      answersTaken: bytesWritten - writableLength,
      // Whoever may not read waits for us too.
      isWaiting: this.isWaiting || this.#chunks.count > 0 || !this.#parts.gate.mayRead(this.#pass),
    };
  }

  #push(piece: Buffer): void {
    if (this.#pump === 'closing') return;
    this.#from.rate?.take(piece.length);
    this.#parts.reader.push(piece);
    this.#parts.turns.came(piece.length);
    this.#read();
  }

  /** Returns whether it waits for anything before the next frame. */
  #read(): boolean {
    const { reader, turns } = this.#parts;
    let done: Promise<void> | null = null;
    while (this.#pump === 'reading' && !this.#socket.destroyed) {
      // A step is bounded by what it may cost, and by one frame: room is looked for once in each.
      done = turns.isInStep || this.#hasRoom ? turns.nextStep() : this.#whenRoom();
      if (done) break;
      const frame = reader.next();
      // Where its pieces go may be slower than its sender.
      done = frame === NEED_MORE ? reader.backlog : this.#do(this.#outcomeOf(frame));
      if (done || frame === NEED_MORE) break;
    }
    if (done) this.#wait(done);
    this.#endRun();
    turns.rest();
    this.#report();
    return done !== null;
  }

  #outcomeOf(frame: Exclude<NextFrame, typeof NEED_MORE>): FrameOutcome {
    const { reader, taker, turns } = this.#parts;
    if (Buffer.isBuffer(frame)) return turns.take(taker, frame, reader.isJson);
    if (typeof frame === 'object') return taker.takeFiled(frame);
    if (frame === FRAME_MALFORMED) return refused('frame_malformed', 'the stream cannot be read on');
    if (frame === FRAME_UNKEPT) return unkept(reader.failure);
    return refused('frame_too_large', 'it is larger than any frame that is taken', 'closes_at_pace');
  }

  /** A promise, which never rejects, where the next frame has to wait. */
  #do(outcome: FrameOutcome): Promise<void> | null {
    switch (outcome.kind) {
      case 'nothing':
        return null;
      case 'chunk':
        this.#chunks.accept(outcome.chunk, outcome.ack);
        return null;
      case 'dead_letter':
        this.#chunks.deadLetter(outcome.undecodable, outcome.ack);
        return null;
      case 'empty':
        this.#chunks.answer(outcome.ack);
        return null;
      case 'refused':
        this.#refuse(outcome);
        return null;
      case 'behind':
        this.#chunks.accept(outcome.run, null);
        return this.#do(outcome.outcome);
      case 'sliced':
        return this.#doSliced(outcome);
      case 'later':
        return this.#doLater(outcome);
    }
  }

  async #doSliced({ frame, ack, heldBytes }: Sliced): Promise<void> {
    this.#waitingBytes = heldBytes;
    await this.#chunks.acceptSliced(frame, ack);
    this.#waitingBytes = 0;
  }

  async #doLater({ outcome, heldBytes, release }: Later): Promise<void> {
    this.#waitingBytes = heldBytes;
    try {
      await this.#do(this.#parts.turns.opened(await outcome));
    } finally {
      this.#waitingBytes = 0;
      await release?.().catch((error: unknown) => this.#refuse(unkept(reasonOf(error))));
    }
  }

  #refuse({ code, detail, connection }: Refused): void {
    this.#options.telemetry.chunkRejected('forward', code, detail);
    if (connection === 'closes') this.#close();
    if (connection !== 'closes_at_pace') return;
    this.#parts.reader.abandon();
    this.#closeAtPace();
  }

  /** Messages that wait for others go on. */
  #endRun(): void {
    const run = this.#parts.taker.endRun();
    if (run) this.#chunks.accept(run, null);
  }

  /** Tells the gate what is held beside the chunks in flight. */
  #report(): void {
    if (this.#socket.destroyed) return;
    const frame = this.#waitingBytes + (this.#pump === 'closing' ? 0 : this.#parts.reader.heldBytes);
    const unfinished = frame > 0 ? frame + UNFINISHED_OVERHEAD_BYTES : 0;
    this.#parts.gate.update(this.#pass, unfinished + this.#socket.writableLength);
  }

  get #hasRoom(): boolean {
    return this.#parts.room.hasRoom && this.#chunks.hasRoom && this.#options.pace?.mayRead !== false;
  }

  async #whenRoom(): Promise<void> {
    await this.#chunks.room();
    // Whoever is gone is not kept until there is room.
    const { signal } = this.#gone;
    await unlessAborted(this.#parts.room.room(signal), signal).catch(() => undefined);
    while (this.#options.pace?.mayRead === false && this.#pump !== 'closing' && !this.#socket.destroyed)
      await this.#options.pace.recheck();
  }

  /** Neither reads nor looks at frames until `done`. */
  #wait(done: Promise<void>): void {
    if (this.#pump === 'reading') this.#pump = 'waiting';
    this.flow();
    void done.then(() => {
      this.#parts.gate.resumed(this.#pass);
      if (this.#pump === 'closing') return this.#endIfDone();
      if (this.#pump === 'waiting') this.#pump = 'reading';
      if (this.#read()) return;
      // Node tells the end of a paused socket too, though frames wait before it.
      if (this.#socket.readableEnded) this.#endIfDone();
      else this.flow();
    });
  }

  #closeAtPace(): void {
    if (this.#pump === 'refusing' || this.#pump === 'closing') return;
    this.#pump = 'refusing';
    this.flow();
    const { pace } = this.#options;
    if (pace) void pace.hold(this.#from.address).then(() => this.#close());
    else this.#close();
  }

  #close(): void {
    if (this.#pump === 'closing') return;
    this.#pump = 'closing';
    this.#socket.pause();
    this.#endRun();
    this.#report();
    this.#endIfDone();
  }

  /** Ends our side when every chunk that will be taken has its answer. */
  #endIfDone(): void {
    const isClosing = this.#pump === 'closing';
    // A message that waited for something is taken all the same: nobody sends it again.
    if (isClosing) this.#endRun();
    const isDone = isClosing || (this.#socket.readableEnded && this.#pump === 'reading');
    if (!isDone || this.#chunks.count > 0 || this.#socket.writableEnded) return;
    this.#chunks.flush();
    if (isClosing && !this.#chunks.hasAnswered) {
      // It waits for no answers: what it sends from here on must not seem to be taken.
      this.#socket.destroySoon();
      return;
    }
    this.#socket.end();
    if (isClosing) linger(this.#socket, this.#parts.clock);
  }
}
