// Converts bodies to entries: small ones at once, larger ones in threads, so that no body holds up the other inputs.
// The largest have a thread of their own, so that they wait only for each other. A thread starts when its first body
// comes.

import {
  type ConversionName,
  type ConversionOptions,
  type Converted,
  conversions,
  unpackedBytes,
} from '../../dialects/conversions.ts';
import { ConversionThread, type ConversionThreadOptions } from './conversion-thread.ts';
import { LARGE_BODY_BYTES } from '../turns/large-body-slots.ts';

/**
 * Up to here a body is converted at once: 0.5 ms, and 8 ms for the costliest that is known (nested OTLP values in JSON,
 * 0.23 µs a byte).
 */
const INLINE_BYTES_MAX = 32 * 1024;

export interface ConverterOptions extends ConversionThreadOptions {
  /** False: all is converted here. A function that serves one request at a time has no one to wait for. */
  readonly threaded: boolean;
  readonly inlineBytesMax?: number;
}

export class Converter implements AsyncDisposable {
  readonly #options: ConverterOptions;
  readonly #small: ConversionThread;
  readonly #large: ConversionThread;

  constructor(options: ConverterOptions) {
    this.#options = options;
    this.#small = new ConversionThread(options);
    this.#large = new ConversionThread(options);
  }

  /** Whether a body of so many bytes is converted in the event loop, where others have to wait for it. */
  isInline(bytes: number): boolean {
    const { threaded, inlineBytesMax = INLINE_BYTES_MAX } = this.#options;
    return !threaded || bytes <= inlineBytesMax;
  }

  /**
   * Rejects with body_too_costly, conversion_unavailable. What the conversion says of the body is its answer, not an
   * error.
   * @param bytes that it is as costly as
   */
  convert<N extends ConversionName>(
    name: N,
    body: Buffer,
    options: ConversionOptions<N>,
    bytes = unpackedBytes(name, body),
  ): Promise<Converted<N>> {
    if (this.isInline(bytes)) {
      const convert = conversions[name] as (body: Buffer, options: ConversionOptions<N>) => Converted<N>;
      return Promise.resolve(convert(body, options));
    }
    return (bytes > LARGE_BODY_BYTES ? this.#large : this.#small).convert(name, body, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#small[Symbol.asyncDispose](), this.#large[Symbol.asyncDispose]()]);
  }
}
