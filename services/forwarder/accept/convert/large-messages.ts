// Messages that take longer than a turn of the event loop may: converted in a thread, one after another, as large HTTP
// bodies are. They have a thread of their own, so that neither waits for the other's senders.
//
// Guarantees: in the order in which they came; what becomes of each is told, nothing is thrown. One that costs too
// much, or is no message, is refused with why: its sender hears nothing, so it is for the dead letters. That there is
// no thread for it is our failure and refuses nothing: another is started, and in the end, or where we stop, it is
// converted here.

import { ByteBudget } from '#shared/byte-budget.ts';
import type { Clock } from '#shared/clock.ts';
import { SluiceError, reasonOf } from '#shared/errors.ts';
import type { Room } from '../../intake/chunk.ts';
import type { GelfConverted } from '../../decode/gelf/gelf-entries.ts';
import { type Converted, conversions } from '../../dialects/conversions.ts';
import { ConversionThread } from './conversion-thread.ts';

const KIB = 1024;
/** Up to here a message is converted at once: 5 ms for the costliest that is known (short keys, 0.05 µs a byte). */
export const LARGE_MESSAGE_BYTES = 96 * KIB;
/** What a socket gives in one read: who has less than the rest of a large message does not make one whole by it. */
const READ_BYTES = 64 * KIB;
/** A stream that holds more of a message is read only while there is room for large ones. */
export const PERHAPS_LARGE_BYTES = LARGE_MESSAGE_BYTES - READ_BYTES;
/** Of messages that wait for the thread. */
const WAITING_BYTES_MAX = 8 * KIB * KIB;
/** Until the next thread is tried, and how often; 3 s in all. */
const BACKOFF_FIRST_MS = 100;
const TRIES_MAX = 6;

export interface LargeMessagesOptions {
  readonly clock: Clock;
  /** What a message of so many bytes may cost. */
  readonly budgetMs?: (bytes: number) => number;
}

/** Its end comes after that of whoever converts; `hurry` before. */
export class LargeMessages implements Room, AsyncDisposable {
  readonly #thread: ConversionThread;
  readonly #clock: Clock;
  readonly #hurry = new AbortController();
  /** The last one that came found no thread: those behind it do not wait as long for one. */
  #isWithoutThread = false;
  readonly #waiting = new ByteBudget(WAITING_BYTES_MAX);
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: LargeMessagesOptions) {
    this.#thread = new ConversionThread(options);
    this.#clock = options.clock;
  }

  get hasRoom(): boolean {
    return this.#waiting.hasRoom;
  }

  room(): Promise<void> {
    return this.#waiting.room();
  }

  /** Takes it even where there is no room; `text` has to stay as it is until then. Never rejects. */
  convert(text: Buffer): Promise<GelfConverted> {
    const permit = this.#waiting.take(text.length);
    const done = this.#last.then(() => this.#convert(text)).finally(() => permit[Symbol.dispose]());
    this.#last = done;
    return done;
  }

  /** We are about to stop: nobody waits for another thread any more. */
  hurry(): void {
    this.#hurry.abort();
  }

  async #convert(text: Buffer): Promise<GelfConverted> {
    try {
      for (let tries = this.#isWithoutThread ? TRIES_MAX : 1; ; tries += 1) {
        const converted = await this.#inThread(text);
        this.#isWithoutThread = converted === null && tries >= TRIES_MAX;
        if (converted) return converted;
        if (tries >= TRIES_MAX || this.#hurry.signal.aborted) return bytesOf(conversions.gelf(copyOf(text), null));
        await this.#clock.sleep(BACKOFF_FIRST_MS * 2 ** (tries - 1), this.#hurry.signal).catch(() => undefined);
      }
    } catch (error) {
      return { kind: 'refused', why: reasonOf(error) };
    }
  }

  /** Null where there was no thread for it. */
  async #inThread(text: Buffer): Promise<GelfConverted | null> {
    try {
      return bytesOf(await this.#thread.convert('gelf', copyOf(text), null));
    } catch (error) {
      if (error instanceof SluiceError && OURS.has(error.code)) return null;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#thread[Symbol.asyncDispose]();
  }
}

/** What is not the message's fault. */
const OURS: ReadonlySet<string> = new Set(['conversion_unavailable', 'shutting_down']);

/**
 * What the thread gets is gone here, and the bytes are needed where it refuses them; copied only now, for many may
 * wait.
 */
function copyOf(text: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(text.length);
  text.copy(copy);
  return copy;
}

function bytesOf(converted: Converted<'gelf'>): GelfConverted {
  if (converted.kind === 'refused') return converted;
  const { buffer, byteOffset, length } = converted.bytes;
  return { kind: 'entry', bytes: Buffer.from(buffer, byteOffset, length) };
}
