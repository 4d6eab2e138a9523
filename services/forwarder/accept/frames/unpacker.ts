// Decompresses the chunks of one connection in memory, within the budget that all inputs of the process share: a crowd
// of small bombs is opened one after another, however many connections it comes by. Networks have their turns, so that
// it waits for itself.
//
//   turn of the event loop → room of the tenant → turn of the network → budget
//
// In this order; the network's turn ends when the budget gave, or the connection is gone.
//
// Guarantees: what a chunk may grow to is taken from the budget before it is opened; nobody keeps a share of the budget
// while waiting for anything else; whoever is gone does not wait.

import { unlessAborted } from '#shared/abort.ts';
import type { ByteBudget, Permit } from '#shared/byte-budget.ts';
import { SluiceError } from '#shared/errors.ts';
import { type Compression, decompress } from '#shared/record/compression.ts';
import type { Room } from '../../intake/chunk.ts';
import type { FairSlots } from '../turns/fair-slots.ts';
import type { TurnBytes } from '../turns/turn-bytes.ts';

/** What compressed bytes are believed to grow to at first; logs shrink 5 to 30 times. */
const RATIO_BELIEVED = 32;
const UNPACKED_MIN = 64 * 1024;
/** zlib gathers what it gives in pieces, and joins them at the end. */
export const UNPACKING_COPIES = 2;
/** What is small is decompressed in place, and gives 128 KiB at most: 120 µs. */
const UNPACK_TURN_BYTES = 1024;

/** Most bytes give far less than they may; only those that do not are opened a second time. */
export function believedBytes(packedBytes: number, bytesMax: number): number {
  return Math.min(bytesMax, packedBytes * RATIO_BELIEVED + UNPACKED_MIN);
}

export interface UnpackerOptions {
  readonly budget: ByteBudget;
  /** Who asks the budget next: one at a time, of all connections of the process. */
  readonly turns: FairSlots;
  /** What all connections may do in one turn of the event loop. */
  readonly turn: TurnBytes;
  /** Of the peer's address. */
  readonly network: string;
  /** Nothing is opened while there is no room for it. */
  readonly room: Room;
  /** Aborted when the connection is gone. */
  readonly signal: AbortSignal;
}

export class Unpacker {
  readonly #options: UnpackerOptions;

  constructor(options: UnpackerOptions) {
    this.#options = options;
  }

  /**
   * Null where it is larger than `bytesMax`, or damaged. Rejects where the connection is gone, and for nothing else.
   */
  async unpack(packed: Buffer, encoding: Compression, bytesMax: number): Promise<Buffer | null> {
    const believed = believedBytes(packed.length, bytesMax);
    const unpacked = await this.#within(believed, packed, encoding);
    if (unpacked !== 'too_large') return unpacked;
    const whole = believed < bytesMax ? await this.#within(bytesMax, packed, encoding) : null;
    return whole === 'too_large' ? null : whole;
  }

  async #within(bytesMax: number, packed: Buffer, encoding: Compression): Promise<Buffer | 'too_large' | null> {
    const { turn, network, signal } = this.#options;
    // Before the budget, which is never held while waiting. At most some 120 small ones then share a turn: 14 ms.
    await turn.wait(UNPACK_TURN_BYTES, network, signal);
    using _permit = await this.#permit(UNPACKING_COPIES * bytesMax);
    signal.throwIfAborted();
    try {
      return await decompress(packed, encoding, bytesMax);
    } catch (error) {
      return error instanceof SluiceError && error.code === 'decompressed_too_large' ? 'too_large' : null;
    }
  }

  /** While it waits for the one, the other may run out. */
  async #permit(bytes: number): Promise<Permit> {
    const { budget, turns, network, room, signal } = this.#options;
    for (;;) {
      if (!room.hasRoom) await unlessAborted(room.room(signal), signal);
      using _turn = await turns.enter(network, signal);
      const permit = await budget.acquire(bytes, signal);
      if (room.hasRoom) return permit;
      permit[Symbol.dispose]();
    }
  }
}
