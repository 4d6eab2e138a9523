// Entries that came together from one sender and go on as one chunk, so that a queue record holds many.

import { MsgpackWriter } from '#shared/msgpack/writer.ts';

/** Each connection has a run: after a burst it keeps no more than this, or thousands of them keep as many buffers. */
const KEPT_BYTES_MAX = 16 * 1024;

export class ReadEntries {
  readonly writer = new MsgpackWriter();
  count = 0;

  get bytes(): number {
    return this.writer.length;
  }

  /** An entry that was made elsewhere. */
  add(entry: Uint8Array): void {
    this.writer.raw(entry);
    this.count += 1;
  }

  /** The run so far, as a copy; the next one begins. */
  take(): Buffer {
    const entries = this.writer.take();
    this.writer.reset(KEPT_BYTES_MAX);
    this.count = 0;
    return entries;
  }
}
