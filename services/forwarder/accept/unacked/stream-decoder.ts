// What a session of a protocol without acks asks of the protocol: messages of the bytes that came, as many as a turn of
// the event loop may have, and what waits for more.

import type { Room } from '../../intake/chunk.ts';
import type { BadReason } from './bad-messages.ts';
import type { ReadEntries } from './read-entries.ts';

/** Its room: false while more of the message that was begun would have to wait for others of its size. */
export interface StreamDecoder extends Room {
  /** Comes when `read` has returned true. */
  push(piece: Buffer): void;
  /**
   * Appends messages, as many as a turn of the event loop may have; what is none goes to `deadLetter`. Returns whether
   * no more is there.
   */
  read(run: ReadEntries, deadLetter: DeadLetterSink): boolean;
  /** As `read`, but lets go of a message that is not whole, for memory is short. */
  relieve(run: ReadEntries, deadLetter: DeadLetterSink): boolean;
  /** A message is too large for a turn, and converted elsewhere: `read` goes on when it resolves. It never rejects. */
  readonly converting: Promise<void> | null;
  /** Nothing will be pushed any more: what is left is a message. */
  finish(): void;
  /** Bytes that wait for the rest of their message, or to be read. */
  readonly heldBytes: number;
  /** What they keep in memory. */
  readonly memoryBytes: number;
}

/** For what can never be an event. `bytes` are lent. */
export type DeadLetterSink = (bytes: Buffer, reason: BadReason, error: string) => void;
