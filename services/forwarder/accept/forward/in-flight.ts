// What one connection has under way: chunks that intake has and did not answer, answers that are owed, answers that its
// peer does not read. Beyond its bounds the connection is read no further, so that no single one takes all the room.

import assert from 'node:assert/strict';
import { CHUNK_OVERHEAD_BYTES } from '../../intake/chunk.ts';
import type { AckQueue } from './ack-queue.ts';

/** Bytes that one connection may have in flight before it is read no further. */
const BYTES_MAX = 8 * 1024 * 1024;
/** Answers that are owed. */
const ANSWERS_OWED_MAX = 16_384;
/** Of answers that wait for those before them, or that the peer does not read. */
export const ANSWER_BYTES_MAX = 64 * 1024;

interface Writable {
  readonly writableLength: number;
  readonly destroyed: boolean;
}

export class InFlight {
  readonly #socket: Writable;
  readonly #acks: AckQueue;
  #bytes = 0;
  #wake: (() => void) | null = null;
  chunks = 0;

  constructor(socket: Writable, acks: AckQueue) {
    this.#socket = socket;
    this.#acks = acks;
  }

  get hasRoom(): boolean {
    const answerBytes = this.#acks.bytes + this.#socket.writableLength;
    return this.#bytes < BYTES_MAX && this.#acks.count < ANSWERS_OWED_MAX && answerBytes < ANSWER_BYTES_MAX;
  }

  /** A chunk is under way until `end` is called with the same. */
  start(chunkBytes: number): void {
    this.#bytes += chunkBytes + CHUNK_OVERHEAD_BYTES;
    this.chunks += 1;
  }

  end(chunkBytes: number): void {
    this.#bytes -= chunkBytes + CHUNK_OVERHEAD_BYTES;
    this.chunks -= 1;
    assert(this.#bytes >= 0 && this.chunks >= 0, 'a chunk ends once');
    this.changed();
  }

  /** Something has changed for whoever waits. */
  changed(): void {
    this.#wake?.();
  }

  /** Resolves when there is room, or the connection is gone. */
  async room(): Promise<void> {
    while (!this.hasRoom && !this.#socket.destroyed) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
      this.#wake = null;
    }
  }
}
