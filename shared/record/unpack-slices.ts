// Decompresses what is too large for memory, or damaged: slices in, slices out, and at the end what was found wrong.
//
//   gzip members or zstd frames, one after another, of which the last may be torn, corrupt, or followed by other bytes
//
// Guarantees: whatever came out before the damage is given, and it is the same in each pass with the same steps; memory
// is a few slices and a window of 8 MiB, whatever the ratio; output is bounded.

import type { Transform } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { constants, createGunzip, createZstdDecompress } from 'node:zlib';
import { reasonOf } from '#shared/errors.ts';
import type { Encoding } from './record.ts';
import { ZSTD_WINDOW_LOG_MAX, ZSTD_WINDOW_TOO_LARGE } from './zstd-frames.ts';
import { ZstdWalker } from './zstd-walker.ts';

/** Bytes that can be read more than once, from a file or from memory. */
export interface SliceSource {
  readonly size: number;
  /** All of them, in slices of any size. Each is valid until the next one is asked for. */
  slices(): AsyncIterable<Buffer>;
}

export interface UnpackOptions {
  readonly encoding: Encoding;
  /** Of the output; what would come behind is damage too. */
  readonly bytesMax: number;
  /** From which bytes on the input goes in finer steps; see `finerSteps`. */
  readonly finerFrom: readonly number[];
}

export interface Damage {
  /** Compressed bytes before it that did not fail. */
  readonly at: number;
  readonly why: string;
  /** Whether zlib kept back what it had made of the step in which it found the damage. */
  readonly keepsBack: boolean;
  readonly isTooLarge?: boolean;
}

/** The input goes in steps; those of the second and the third size come closer to a damage. */
const STEP_BYTES = [16 * 1024, 64, 1] as const;
const OUTPUT_BYTES = 128 * 1024;
/** What is given without waiting for anything; then the event loop has its turn. */
const TURN_BYTES = 512 * 1024;

const ZSTD_PARAMS = { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX };
const WINDOW_TOO_LARGE = 'ZSTD_error_frameParameter_windowTooLarge';

/** One pass over a source. `damage` is known when `slices` has ended. */
export class UnpackPass {
  readonly #source: SliceSource;
  readonly #options: UnpackOptions;
  damage: Damage | null = null;

  constructor(source: SliceSource, options: UnpackOptions) {
    this.#source = source;
    this.#options = options;
  }

  /** Of this pass, so that another gives the same. */
  get usedFinerFrom(): readonly number[] {
    return this.#options.finerFrom;
  }

  /** `finerFrom` of a pass that comes closer to the damage; null where this one came as close as can be. */
  get finerFrom(): readonly number[] | null {
    const { finerFrom } = this.#options;
    if (!this.damage?.keepsBack || finerFrom.length === STEP_BYTES.length - 1) return null;
    return [...finerFrom, this.damage.at];
  }

  /** Each slice is valid until the next one is asked for. Rejects where the source itself cannot be read. */
  async *slices(): AsyncGenerator<Buffer, void, undefined> {
    const { bytesMax, encoding } = this.#options;
    let bytes = 0;
    let turnBytes = 0;
    for await (const slice of encoding === 'identity' ? this.#source.slices() : this.#unpacked(encoding)) {
      if (bytes + slice.length > bytesMax) {
        this.damage = { at: 0, why: `it holds more than ${bytesMax} bytes`, keepsBack: false, isTooLarge: true };
        return;
      }
      bytes += slice.length;
      turnBytes += slice.length;
      if (turnBytes >= TURN_BYTES) {
        turnBytes = 0;
        await setImmediate();
      }
      yield slice;
    }
  }

  async *#unpacked(encoding: 'gzip' | 'zstd'): AsyncGenerator<Buffer, void, undefined> {
    // With room for one slice only, each is read before the next one is made: none is lost when the next one fails.
    const options = { chunkSize: OUTPUT_BYTES, readableHighWaterMark: 1, writableHighWaterMark: 1 };
    const engine =
      encoding === 'gzip' ? createGunzip(options) : createZstdDecompress({ ...options, params: ZSTD_PARAMS });
    const walker = encoding === 'zstd' ? new ZstdWalker() : null;
    const input = new Input(engine);
    const pumped = input.pump(this.#steps(walker));
    try {
      for await (const slice of engine) {
        yield slice as Buffer;
        free(slice as Buffer);
      }
      const at = engine.bytesWritten;
      if (at < this.#source.size) this.damage = { at, why: 'there are bytes after its end', keepsBack: false };
      else if (walker && !walker.isWhole) this.damage = { at, why: 'its last frame is not whole', keepsBack: false };
    } catch (error) {
      if (input.error !== null || !isZlibError(error)) throw error;
      const isTorn = error.code === 'Z_BUF_ERROR';
      const why = error.code === WINDOW_TOO_LARGE ? ZSTD_WINDOW_TOO_LARGE : reasonOf(error);
      this.damage = { at: engine.bytesWritten, why, keepsBack: !isTorn };
    } finally {
      engine.destroy();
      // The source may be closed once nothing reads it any more.
      await pumped;
    }
  }

  async *#steps(walker: ZstdWalker | null): AsyncGenerator<Buffer, void, undefined> {
    const { finerFrom } = this.#options;
    let at = 0;
    for await (const slice of this.#source.slices()) {
      walker?.push(slice);
      for (let start = 0; start < slice.length;) {
        const level = finerFrom.findLastIndex((from) => at >= from) + 1;
        const size = Math.min(STEP_BYTES[level] ?? 1, (finerFrom[level] ?? Infinity) - at, slice.length - start);
        yield slice.subarray(start, start + size);
        start += size;
        at += size;
      }
    }
  }
}

/**
 * What goes into an engine, one step after another: the next is asked for only when the engine is done with the one
 * before, so that a source may read into the same buffer again. A stream that is piped would ask for one ahead.
 */
class Input {
  readonly #engine: Transform;
  #release: (() => void) | null = null;
  /** Why the source could not be read. */
  error: unknown = null;

  constructor(engine: Transform) {
    this.#engine = engine;
    // An engine that is destroyed while its output waits to be read calls nobody back.
    engine.once('close', () => this.#release?.());
  }

  /** Never rejects. */
  async pump(steps: AsyncIterable<Buffer>): Promise<void> {
    try {
      for await (const step of steps) {
        await this.#write(step);
        if (this.#engine.destroyed) return;
      }
      this.#engine.end();
    } catch (error) {
      this.error = error;
      this.#engine.destroy(error instanceof Error ? error : new Error(reasonOf(error)));
    }
  }

  #write(step: Buffer): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#release = resolve;
    if (this.#engine.destroyed) resolve();
    // A failure is told by the engine itself.
    else this.#engine.write(step, () => resolve());
    return promise;
  }
}

/**
 * What zlib has filled to its end it does not use again. Left to the garbage collector, tens of megabytes of these
 * would lie about.
 */
function free(slice: Buffer): void {
  const { buffer, byteOffset, length } = slice;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === OUTPUT_BYTES && byteOffset + length === OUTPUT_BYTES) {
    buffer.transfer(0);
  }
}

function isZlibError(error: unknown): error is Error & { code: string } {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return false;
  return error.code.startsWith('Z_') || error.code.startsWith('ZSTD_');
}

/** A source of what is in memory. */
export function sourceOf(bytes: Buffer): SliceSource {
  return {
    size: bytes.length,
    async *slices() {
      for (let at = 0; at < bytes.length; at += OUTPUT_BYTES) yield bytes.subarray(at, at + OUTPUT_BYTES);
    },
  };
}
