// Whose turn it is to read: files that have something go round, each for a run of lines at a time. A file that is
// written faster than anybody can read it takes no more than its turns, and waits for no other either.
//
// A reader needs its slot while it reads; while it waits for the queue, others have that. Many files with a few lines
// each would else wait for each other, for as long as the queue takes to answer a few of them.
//
// Guarantees: only so many files are read at once, and only so many bytes wait for the queue, however many files there
// are; one that is woken while it is read has another turn; one that has read what it may in a second waits without a
// slot; nothing is read while intake has no room.

import assert from 'node:assert/strict';
import type { Clock } from '#shared/clock.ts';
import { Fifo } from '#shared/collections/fifo.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import type { Room } from '../../intake/chunk.ts';
import { Steps } from '../walk/steps.ts';

/** Threads that read files for Node. */
const SLOTS = 4;
export const SLOT_BYTES = 256 * 1024;
/** So many runs may wait for the queue, and so many bytes of them. */
const RUNS_MAX = 256;
const RUN_BYTES_MAX = 8 * SLOT_BYTES;

/** What a turn works with, until it leaves it. */
export interface Slot {
  readonly buffer: Buffer;
  readonly writer: MsgpackWriter;
  readonly isLeft: boolean;
  /** From now on the turn waits for the queue, with so many bytes; the buffer and the writer are for others. */
  leave(bytes: number): void;
}

type Tools = Pick<Slot, 'buffer' | 'writer'>;

export interface Reader {
  /** Reads a run, and resolves when the queue holds it: whether there is more. Rejects when reading is over. */
  turn(slot: Slot): Promise<boolean>;
  /** How long it must not read; asked before each turn. Absent: never. */
  waitMs?(): number;
}

export class ReadingTurns {
  readonly #room: Room;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #free: Tools[] = [];
  #slots = 0;
  /** That wait for the queue. */
  #runs = 0;
  #runBytes = 0;
  readonly #ready = new Fifo<Reader>();
  /** Ready, or being read; true: has to be read again. */
  readonly #busy = new Map<Reader, boolean>();
  /** Of all pumps: what one did counts in the turn of the next. */
  readonly #steps = new Steps();
  #isWaiting = false;
  readonly #under = new Set<Promise<void>>();

  constructor({ room, clock, signal }: { room: Room; clock: Clock; signal: AbortSignal }) {
    this.#room = room;
    this.#clock = clock;
    this.#signal = signal;
  }

  /** Readers that have something to read, or may have. */
  get waiting(): number {
    return this.#busy.size;
  }

  isBusy(reader: Reader): boolean {
    return this.#busy.has(reader);
  }

  wake(reader: Reader): void {
    if (this.#signal.aborted) return;
    if (this.#busy.has(reader)) this.#busy.set(reader, true);
    else {
      this.#busy.set(reader, false);
      this.#ready.push(reader);
      void this.#pump();
    }
  }

  /** Resolves when the turns that have begun are over. */
  async ended(): Promise<void> {
    await Promise.all(this.#under);
  }

  async #pump(): Promise<void> {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    const steps = this.#steps;
    try {
      while (this.#ready.length > 0 && !this.#signal.aborted) {
        if (!this.#room.hasRoom) {
          await this.#room.room(this.#signal);
          continue;
        }
        if (this.#isFull) return;
        // What is read at once, without a thread, takes no turn of the event loop by itself.
        if (steps.isOver()) {
          await steps.next();
          continue;
        }
        const reader = this.#ready.shift();
        assert(reader !== undefined, 'somebody is ready');
        const waitMs = reader.waitMs?.() ?? 0;
        if (waitMs > 0) {
          this.#clock.timer(waitMs, () => this.#again(reader));
          continue;
        }
        const turn = this.#turn(reader).finally(() => this.#under.delete(turn));
        this.#under.add(turn);
      }
    } finally {
      this.#isWaiting = false;
    }
  }

  get #isFull(): boolean {
    if (this.#runs >= RUNS_MAX || this.#runBytes >= RUN_BYTES_MAX) return true;
    return this.#free.length === 0 && this.#slots === SLOTS;
  }

  async #turn(reader: Reader): Promise<void> {
    // What wakes the reader from now on may come too late for this turn.
    this.#busy.set(reader, false);
    const slot = new TurnSlot(this.#takeTools(), (bytes) => {
      this.#runs += 1;
      this.#runBytes += bytes;
      this.#giveBack(slot);
    });
    let hasMore = false;
    try {
      hasMore = await reader.turn(slot);
    } catch (error) {
      if (!this.#signal.aborted) throw error;
    } finally {
      if (slot.isLeft) {
        this.#runs -= 1;
        this.#runBytes -= slot.leftBytes;
      } else this.#free.push(slot);
      if (hasMore || this.#busy.get(reader) === true) this.#ready.push(reader);
      else this.#busy.delete(reader);
      void this.#pump();
    }
  }

  #giveBack({ buffer, writer }: Tools): void {
    this.#free.push({ buffer, writer });
    void this.#pump();
  }

  /** It has waited outside of the turns. */
  #again(reader: Reader): void {
    this.#ready.push(reader);
    void this.#pump();
  }

  #takeTools(): Tools {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    this.#slots += 1;
    return newTools();
  }
}

class TurnSlot implements Slot {
  readonly buffer: Buffer;
  readonly writer: MsgpackWriter;
  isLeft = false;
  leftBytes = 0;
  readonly #left: (bytes: number) => void;

  constructor({ buffer, writer }: Tools, left: (bytes: number) => void) {
    this.buffer = buffer;
    this.writer = writer;
    this.#left = left;
  }

  leave(bytes: number): void {
    assert(!this.isLeft, 'a slot is left once');
    this.isLeft = true;
    this.leftBytes = bytes;
    this.#left(bytes);
  }
}

/** For who takes part in no turns. */
export function newSlot(): Slot {
  return { ...newTools(), isLeft: false, leave: () => undefined };
}

function newTools(): Tools {
  return { buffer: Buffer.allocUnsafeSlow(SLOT_BYTES), writer: new MsgpackWriter(SLOT_BYTES) };
}
