// Converts messages that would take longer than a turn of the event loop may. They have a thread of their own, so that
// they and large HTTP bodies do not wait for each other.
//
// Guarantees: messages are converted in the order in which they came; nothing is thrown. A message that costs too much,
// or is malformed, is refused with a reason, for the dead letters, because its sender gets no answer. A missing thread
// is our failure and refuses nothing: another one is started, and in the end, or during a stop, the message is
// converted here.

import { ByteBudget } from '#shared/byte-budget.ts';
import type { Clock } from '#shared/clock.ts';
import { SluiceError, reasonOf } from '#shared/errors.ts';
import { Exclusive } from '#shared/exclusive.ts';
import type { Room } from '../../intake/chunk.ts';
import type { GelfConverted } from '../../decode/gelf/gelf-entries.ts';
import { type Converted, conversions } from '../../dialects/conversions.ts';
import { ConversionThread } from './conversion-thread.ts';

const KIB = 1024;
/** Up to here a message is converted at once: 5 ms for the costliest that is known (short keys, 0.05 µs a byte). */
export const LARGE_MESSAGE_BYTES = 96 * KIB;
/** What a socket gives in one read: a stream that lacks more of a large message cannot complete it with one. */
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

/** Dispose of it after its users, who have given up what is left then; call `hurry` before. */
export class LargeMessages implements Room, AsyncDisposable {
  readonly #thread: ConversionThread;
  readonly #clock: Clock;
  readonly #hurry = new AbortController();
  #isOver = false;
  /** The last message found no thread, so those behind it wait for one only once. */
  #isWithoutThread = false;
  readonly #waiting = new ByteBudget(WAITING_BYTES_MAX);
  readonly #inOrder = new Exclusive();

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

  /** Accepts it even if there is no room. `text` must not change until it resolves. Never rejects. */
  convert(text: Buffer): Promise<GelfConverted> {
    const permit = this.#waiting.take(text.length);
    return this.#inOrder.run(() => this.#convert(text)).finally(() => permit[Symbol.dispose]());
  }

  /** Before a stop: nothing waits for another thread any more. */
  hurry(): void {
    this.#hurry.abort();
  }

  async #convert(text: Buffer): Promise<GelfConverted> {
    try {
      for (let tries = this.#isWithoutThread ? TRIES_MAX : 1; ; tries += 1) {
        const converted = this.#isOver ? GIVEN_UP : await this.#inThread(text);
        this.#isWithoutThread = converted === null && tries >= TRIES_MAX;
        if (converted) return converted;
        if (this.#isOver) return GIVEN_UP;
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
    this.#isOver = true;
    await this.#thread[Symbol.asyncDispose]();
  }
}

/** Whoever brought it is gone by now, and a stop has no time for it. */
const GIVEN_UP = { kind: 'refused', why: 'the input has ended' } as const;

/** What is not the message's fault. */
const OURS: ReadonlySet<string> = new Set(['conversion_unavailable', 'shutting_down']);

/** The thread takes the bytes over, but a refusal needs them here. Copied late, since many messages may wait. */
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
