// What the frames of all streams share: bytes are pushed as they come, and messages are pulled out one by one. See
// syslog-frames.ts and gelf-frames.ts.

import { StreamBytes } from './stream-bytes.ts';

export abstract class StreamFrames {
  protected readonly stream = new StreamBytes();
  /** Up to here no end of a message was found. */
  protected searched = 0;
  /** No more will be pushed. */
  protected hasEnded = false;

  /** Bytes that wait for the rest of their message. */
  get heldBytes(): number {
    return this.stream.length;
  }

  /** The memory that they take, with messages that nobody has asked for yet. */
  get memoryBytes(): number {
    return this.stream.capacity;
  }

  push(piece: Buffer): void {
    this.searched = Math.max(0, this.searched - this.stream.push(piece));
  }

  /** No more will be pushed: what is left is a message too. */
  finish(): void {
    this.hasEnded = true;
  }

  /** Until the next push: keeps no more memory than the bytes that are left need. */
  protected pause(): 'more' {
    this.searched = Math.max(0, this.searched - this.stream.pause());
    return 'more';
  }
}
