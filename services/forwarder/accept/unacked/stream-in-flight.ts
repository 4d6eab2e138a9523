// What one connection without acks has given to intake, and is neither stored nor given up: bounded, so that no single
// connection takes all the room.

import type { Room } from '../../intake/chunk.ts';

/** Beyond, the connection is read no further. */
const IN_FLIGHT_BYTES_MAX = 4 * 1024 * 1024;

export class StreamInFlight {
  #bytes = 0;
  #wake: (() => void) | null = null;

  get hasRoom(): boolean {
    return this.#bytes < IN_FLIGHT_BYTES_MAX;
  }

  /** `done` never rejects. */
  add(bytes: number, done: Promise<void>): void {
    this.#bytes += bytes;
    void done.then(() => {
      this.#bytes -= bytes;
      this.wake();
    });
  }

  /** Whoever waits for room looks again, or goes on without. */
  wake(): void {
    this.#wake?.();
  }

  /** Resolves when there may be room here and in `room`, or when it is woken. */
  async roomOrWoken(room: Room): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    if (this.hasRoom) void room.room().then(resolve);
    await promise;
    this.#wake = null;
  }
}
