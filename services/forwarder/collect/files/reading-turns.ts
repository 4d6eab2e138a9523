// Whose turn it is to read: files that have something go round, each for a run of lines at a time. A file that is
// written faster than anybody can read it takes no more than its turns, and waits for no other either.
//
// Guarantees: so many files are read at once, and no more memory is used, however many there are; one that is woken
// while it is read has another turn; one that has read what it may in a second waits without a slot; nothing is read
// while intake has no room.

import assert from 'node:assert/strict';
import type { Clock } from '#shared/clock.ts';
import { Fifo } from '#shared/collections/fifo.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import type { Room } from '../../intake/chunk.ts';

/** As many runs may wait for the queue. */
const SLOTS = 8;
export const SLOT_BYTES = 256 * 1024;

/** What a turn works with. */
export interface Slot {
  readonly buffer: Buffer;
  readonly writer: MsgpackWriter;
}

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
  readonly #free: Slot[] = [];
  #slots = 0;
  readonly #ready = new Fifo<Reader>();
  /** Ready, or being read; true: has to be read again. */
  readonly #busy = new Map<Reader, boolean>();
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
    try {
      while (this.#ready.length > 0 && !this.#signal.aborted) {
        if (!this.#room.hasRoom) {
          await this.#room.room(this.#signal);
          continue;
        }
        if (this.#free.length === 0 && this.#slots === SLOTS) return;
        const reader = this.#ready.shift();
        assert(reader !== undefined, 'somebody is ready');
        const waitMs = reader.waitMs?.() ?? 0;
        if (waitMs > 0) {
          this.#clock.timer(waitMs, () => this.#again(reader));
          continue;
        }
        const slot = this.#takeSlot();
        const turn = this.#turn(reader, slot).finally(() => this.#under.delete(turn));
        this.#under.add(turn);
      }
    } finally {
      this.#isWaiting = false;
    }
  }

  async #turn(reader: Reader, slot: Slot): Promise<void> {
    // What wakes the reader from now on may come too late for this turn.
    this.#busy.set(reader, false);
    let hasMore = false;
    try {
      hasMore = await reader.turn(slot);
    } catch (error) {
      if (!this.#signal.aborted) throw error;
    } finally {
      this.#free.push(slot);
      if (hasMore || this.#busy.get(reader) === true) this.#ready.push(reader);
      else this.#busy.delete(reader);
      void this.#pump();
    }
  }

  /** It has waited outside of the turns. */
  #again(reader: Reader): void {
    this.#ready.push(reader);
    void this.#pump();
  }

  #takeSlot(): Slot {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    this.#slots += 1;
    return newSlot();
  }
}

export function newSlot(): Slot {
  return { buffer: Buffer.allocUnsafeSlow(SLOT_BYTES), writer: new MsgpackWriter(SLOT_BYTES) };
}
