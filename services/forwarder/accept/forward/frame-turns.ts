// When a connection of Forward may look at its next frames: all connections share a turn of the event loop
// (turn-bytes.ts). What a frame costs is known only when it is there, so a connection goes on in small steps, and tells
// what each frame has cost.
//
// Guarantees: a turn has frames for `FORWARD_TURN_BYTES`, and for one step of a connection more; a connection that is
// alone waits only when it has used up a whole turn; whoever is gone does not wait.

import { TurnBytes } from '../turns/turn-bytes.ts';

/** 5 ms of what costs most for its bytes: messages of seven bytes. */
const FORWARD_TURN_BYTES = 64 * 1024;
/** What a read costs beside its bytes. */
const READ_BYTES = 64;
/**
 * So much of a connection before others are asked for. Counted before it is begun: many may begin before the first has
 * cost anything.
 */
const STEP_BYTES = 512;
/** What a frame costs beside its bytes, whatever comes of it. */
export const FRAME_TURN_BYTES = 8;
/** What a chunk costs, or a dead letter, on its way to intake and until its ack is written. */
export const CHUNK_TURN_BYTES = 256;
/** Entries of so many bytes, uncompressed, cost as much as a byte of a frame. */
export const ENTRIES_PER_TURN_BYTE = 8;

/** One for all connections of a server. */
export function forwardTurn(): TurnBytes {
  return new TurnBytes(FORWARD_TURN_BYTES, READ_BYTES);
}

export class FrameTurns {
  readonly #turn: TurnBytes;
  readonly #network: string;
  readonly #gone: AbortSignal;
  /** Bytes that came, and are not counted yet. */
  #owed = 0;
  /** Of the step that has begun. */
  #left = 0;

  constructor(turn: TurnBytes, network: string, gone: AbortSignal) {
    this.#turn = turn;
    this.#network = network;
    this.#gone = gone;
  }

  /** Bytes came, which are to be read. */
  came(bytes: number): void {
    this.#owed += bytes;
  }

  /** Whether a frame may be looked at now; else `next` is to be waited for. */
  mayGoOn(): boolean {
    if (this.#left > 0) return true;
    if (!this.#turn.take(this.#owed + STEP_BYTES)) return false;
    this.#startStep(this.#owed);
    return true;
  }

  /** Resolves when a step may begin, or the connection is gone. */
  async next(): Promise<void> {
    const owed = this.#owed;
    await this.#turn.wait(owed + STEP_BYTES, this.#network, this.#gone);
    this.#startStep(owed);
  }

  /** What was done has cost so much. */
  spend(bytes: number): void {
    const excess = bytes - Math.max(0, this.#left);
    this.#left -= bytes;
    if (excess > 0) this.#turn.add(excess);
  }

  /** There is nothing to do for now: what is left of the step is given back, and the next one asked for. */
  rest(): void {
    if (this.#left > 0) this.#turn.add(-this.#left);
    this.#left = 0;
  }

  #startStep(counted: number): void {
    this.#owed -= counted;
    this.#left = STEP_BYTES;
  }
}
