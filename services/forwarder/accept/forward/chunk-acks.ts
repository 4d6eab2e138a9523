// What one connection has given to intake, and the acks that it is owed for it.
//
// Guarantees: an ack is written only after intake said that the chunk is stored durably, and acks are written in the
// order of their chunks; behind a chunk that is not stored nothing is acked.

import type { Socket } from 'node:net';
import { encodeAck, encodeJsonAck } from '../../decode/forward/forward-ack.ts';
import type { Chunk, Undecodable } from '../../intake/chunk.ts';
import type { FrameReader } from '../frames/frame-reader.ts';
import type { SlicedFrame } from '../frames/sliced-frame.ts';
import { AckQueue, type OwedAnswer } from './ack-queue.ts';
import { CHUNK_TURN_BYTES, entriesTurnBytes, type FrameTurns } from './frame-turns.ts';
import { InFlight } from './in-flight.ts';
import { type Handed, SessionIntake, type SessionIntakeOptions } from './session-intake.ts';

export interface ChunkParts extends SessionIntakeOptions {
  readonly turns: FrameTurns;
  /** It knows whether its peer speaks JSON, and is to be answered so. */
  readonly reader: Pick<FrameReader, 'isJson'>;
}

export interface AcceptedChunksOptions extends ChunkParts {
  readonly socket: Socket;
  /** A chunk was not stored, and its peer must try again. */
  readonly refused: () => void;
  /** A chunk was stored, or refused. */
  readonly settled: () => void;
  /** Answers lie in the socket that its peer does not read. */
  readonly unread: () => void;
}

export class AcceptedChunks {
  readonly #options: AcceptedChunksOptions;
  readonly #intake: SessionIntake;
  readonly #acks: AckQueue;
  readonly #inFlight: InFlight;

  constructor(options: AcceptedChunksOptions) {
    this.#options = options;
    this.#intake = new SessionIntake(options);
    this.#acks = new AckQueue((answers) => this.#write(answers));
    this.#inFlight = new InFlight(options.socket, this.#acks);
  }

  /** Chunks that are neither stored nor refused. */
  get count(): number {
    return this.#inFlight.chunks;
  }

  get hasRoom(): boolean {
    return this.#inFlight.hasRoom;
  }

  /** Whether the peer was ever answered: only then does it read. */
  get hasAnswered(): boolean {
    return this.#acks.hasWritten;
  }

  /** Resolves when there is room, or the connection is gone. */
  room(): Promise<void> {
    return this.#inFlight.room();
  }

  /** The peer has read answers, or is gone. */
  drained(): void {
    this.#inFlight.changed();
  }

  accept(chunk: Chunk, ack: Buffer | null): void {
    this.#options.turns.spend(entriesTurnBytes(chunk.entries.length, chunk.count));
    const bytes = chunk.bytes === chunk.entries ? chunk.bytes.length : chunk.bytes.length + chunk.entries.length;
    this.#settle(bytes, ack, this.#intake.accept(chunk, ack !== null));
  }

  /** Resolves when it is stored or refused; never rejects. */
  acceptSliced(frame: SlicedFrame, ack: Buffer | null): Promise<void> {
    const handed = this.#intake.acceptSliced(frame, ack !== null);
    this.#settle(0, ack, handed);
    return handed.held.catch(() => undefined);
  }

  deadLetter(undecodable: Undecodable, ack: Buffer | null): void {
    this.#settle(undecodable.bytes.length, ack, { held: this.#intake.deadLetter(undecodable), acked: null });
  }

  /** There is nothing to be stored. */
  answer(ack: Buffer): void {
    this.#acks.give(this.#acks.owe(), this.#ack(ack));
  }

  /** Writes the acks that are due now: before the connection is ended. */
  flush(): void {
    this.#acks.flush();
  }

  #settle(chunkBytes: number, ack: Buffer | null, { held, acked }: Handed): void {
    const { turns, refused, settled } = this.#options;
    turns.spend(CHUNK_TURN_BYTES);
    const place: OwedAnswer | null = ack && this.#acks.owe();
    this.#inFlight.start(chunkBytes);
    void held.then(
      () => {
        if (place && ack) this.#acks.give(place, this.#ack(ack), acked);
        this.#inFlight.end(chunkBytes);
        settled();
      },
      () => {
        if (place) this.#acks.cut(place);
        refused();
        this.#inFlight.end(chunkBytes);
        settled();
      },
    );
  }

  #ack(chunk: Buffer): Buffer {
    return this.#options.reader.isJson ? encodeJsonAck(chunk) : encodeAck(chunk);
  }

  /** False where nobody is there any more. */
  #write(answers: Uint8Array): boolean {
    const { socket, unread } = this.#options;
    const isThere = socket.writable;
    if (isThere) socket.write(answers);
    // Whoever reads no answers may send no more either. What is less goes out without `drain`, which tells of its end.
    if (socket.writableNeedDrain) unread();
    this.#inFlight.changed();
    return isThere;
  }
}
