// Writes lines to standard output and standard error, in the order in which they are given, no faster than they are
// read.
//
// Guarantees: a reader that has gone (`sluice logs | head`) is no error: `closed` is true, and later writes are
// dropped.

import type { CommandContext } from '../process/command.ts';

export type OutputStream = CommandContext['stdout'];

export class Output {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  #closed = false;
  #failure: Error | null = null;
  #wake: (() => void) | null = null;

  constructor(streams: { stdout: OutputStream; stderr: OutputStream }) {
    this.stdout = streams.stdout;
    this.stderr = streams.stderr;
    for (const stream of [this.stdout, this.stderr]) stream.on('error', this.#onError);
  }

  /** Whether nobody reads any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Resolves when the stream has passed the text on: the process may exit after it, and what a stream buffers is lost
   * then. Rejects where writing failed for another reason than a reader that left.
   */
  async write(text: string | Uint8Array, stream: OutputStream = this.stdout): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    if (this.#closed || text.length === 0) return;
    const canTakeMore = stream.write(text);
    if (canTakeMore && !isBuffering(stream)) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (canTakeMore) stream.write('', () => resolve());
      else stream.once('drain', resolve);
    });
    this.#wake = null;
  }

  // Never removed: pending writes may fail after the command is done.
  readonly #onError = (error: Error): void => {
    this.#closed = true;
    const gone = 'code' in error && (error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED');
    if (!gone) this.#failure = error;
    this.#wake?.();
  };
}

/** Whether something that was written is not read yet. */
function isBuffering(stream: OutputStream): boolean {
  return 'writableLength' in stream && typeof stream.writableLength === 'number' && stream.writableLength > 0;
}
