// When a connection of Forward may look at its next frames: all connections share a turn of the event loop
// (turn-bytes.ts). What a frame costs is known only when it is there, so a connection goes on in small steps, and tells
// what each frame has cost.
//
// Guarantees: a turn has frames for `FORWARD_TURN_BYTES`, and for one step of a connection more; a connection that is
// alone waits only when it has used up a whole turn; whoever is gone does not wait.

import type { FrameOutcome } from '../frames/frame-outcome.ts';
import type { FrameTaker } from '../frames/frame-taker.ts';
import { TurnBytes } from '../turns/turn-bytes.ts';

/**
 * A turn of the event loop is measured in bytes of the costliest that is known, messages of seven bytes: 5 ms of them.
 * Other bytes cost a small part of that: with a whole byte for each, a connection that sends chunks of half a megabyte
 * waited for eight turns for each of them, and the forwarder did a quarter less with its CPU time.
 */
const FORWARD_TURN_BYTES = 64 * 1024;
/** Bytes that came and that frames are found in, however small their values are: 5 ns each. */
const READ_PER_TURN_BYTE = 16;
/** What a read costs beside its bytes. */
const READ_BYTES = 64;
/**
 * So much of a connection before others are asked for. Counted before it is begun: many may begin before the first has
 * cost anything.
 */
const STEP_BYTES = 512;
/** What a frame costs beside its bytes, whatever comes of it; */
const FRAME_TURN_BYTES = 15;
/** what is decoded of it, which may be an option of thousands of pairs: 10 ns each of its first bytes; */
const OPTION_BYTES_MAX = 8 * 1024;
const OPTION_PER_TURN_BYTE = 8;
/** JSON, which is converted: 40 ns a byte of the costliest; */
const JSON_PER_TURN_BYTE = 2;
/** and one that was walked through and is damaged, or goes on in slices: 20 ns a byte of the smallest entries. */
const WALKED_PER_TURN_BYTE = 4;
/** What a chunk costs, or a dead letter, on its way to intake and until its ack is written. */
export const CHUNK_TURN_BYTES = 256;
/** So many bytes of entries, uncompressed, are checked for the cost of one; */
const CHECKED_PER_TURN_BYTE = 32;
/** and so many entries are counted. */
const COUNTED_PER_TURN_BYTE = 2;

/** What the entries of a chunk cost that were checked and counted. */
export function entriesTurnBytes(bytes: number, count: number): number {
  return bytes / CHECKED_PER_TURN_BYTE + count / COUNTED_PER_TURN_BYTE;
}

/** One for all connections of a server. */
export function forwardTurn(): TurnBytes {
  return new TurnBytes(FORWARD_TURN_BYTES, READ_BYTES);
}

export class FrameTurns {
  readonly #turn: TurnBytes;
  readonly #network: string;
  readonly #gone: AbortSignal;
  /** What bytes cost that came, and are not counted yet. */
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
    this.#owed += bytes / READ_PER_TURN_BYTE;
  }

  /** Whether a step has begun that has something left: the next frame may be looked at. */
  get isInStep(): boolean {
    return this.#left > 0;
  }

  /** Null where a frame may be looked at now; else resolves when a step may begin, or the connection is gone. */
  nextStep(): Promise<void> | null {
    if (this.#left > 0) return null;
    if (!this.#turn.take(this.#owed + STEP_BYTES)) return this.#whenTurn();
    this.#startStep(this.#owed);
    return null;
  }

  /** What was done has cost so much. */
  spend(bytes: number): void {
    const excess = bytes - Math.max(0, this.#left);
    this.#left -= bytes;
    if (excess > 0) this.#turn.add(excess);
  }

  /** Has the frame taken, and counts what that cost. */
  take(taker: FrameTaker, frame: Buffer, isJson: boolean): FrameOutcome {
    const outcome = taker.take(frame, isJson);
    const walked = isWalkedInVain(outcome) ? frame.length / WALKED_PER_TURN_BYTE : 0;
    const option = Math.min(taker.decodedBytes, OPTION_BYTES_MAX) / OPTION_PER_TURN_BYTE;
    this.spend(FRAME_TURN_BYTES + walked + (isJson ? frame.length / JSON_PER_TURN_BYTE : option));
    return outcome;
  }

  /** A frame was opened, and became this outcome; returns it. Many bytes may have been walked through in vain. */
  opened(outcome: FrameOutcome): FrameOutcome {
    if (isWalkedInVain(outcome)) this.spend(FORWARD_TURN_BYTES);
    return outcome;
  }

  /** There is nothing to do for now: what is left of the step is given back, and the next one asked for. */
  rest(): void {
    if (this.#left > 0) this.#turn.add(-this.#left);
    this.#left = 0;
  }

  async #whenTurn(): Promise<void> {
    const owed = this.#owed;
    await this.#turn.wait(owed + STEP_BYTES, this.#network, this.#gone);
    this.#startStep(owed);
  }

  #startStep(counted: number): void {
    this.#owed -= counted;
    this.#left = STEP_BYTES;
  }
}

function isWalkedInVain(outcome: FrameOutcome): boolean {
  if (outcome.kind === 'behind') return isWalkedInVain(outcome.outcome);
  return outcome.kind === 'dead_letter' || outcome.kind === 'sliced';
}
