// Large bodies are opened and converted one at a time of each sender, so that whoever sends many of them waits for
// himself.
//
// Guarantees: turns of a sender come in the order in which they were asked for; a turn is given back at most once;
// whoever has waited too long is refused, and his bytes are free again; whoever is gone does not wait.

import type { IncomingMessage } from 'node:http';
import { type RequestWaitOptions, requestWait } from './request-wait.ts';

/** A body of more, uncompressed, is large. */
export const LARGE_BODY_BYTES = 1024 * 1024;

export class LargeBodySlots {
  readonly #options: RequestWaitOptions;
  /** Who waits, by sender; an entry without anybody: the sender has one in hand. */
  readonly #waiting = new Map<string, (() => void)[]>();

  constructor(options: RequestWaitOptions) {
    this.#options = options;
  }

  /** Rejects with `tooBusy`, or request_malformed where the request is given up. */
  async take(sender: string, request: IncomingMessage | null = null): Promise<Disposable> {
    const waiting = this.#waiting.get(sender);
    if (waiting) await this.#turnOf(waiting, request);
    else this.#waiting.set(sender, []);
    let isGiven = false;
    return {
      [Symbol.dispose]: () => {
        if (isGiven) return;
        isGiven = true;
        this.#next(sender);
      },
    };
  }

  async #turnOf(waiting: (() => void)[], request: IncomingMessage | null): Promise<void> {
    using limit = requestWait(request, this.#options);
    const { signal } = limit;
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    waiting.push(resolve);
    const leave = (): void => {
      const position = waiting.indexOf(resolve);
      if (position < 0) return;
      waiting.splice(position, 1);
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', leave, { once: true });
    await promise;
  }

  #next(sender: string): void {
    const waiting = this.#waiting.get(sender);
    const next = waiting?.shift();
    if (next) next();
    else this.#waiting.delete(sender);
  }
}
