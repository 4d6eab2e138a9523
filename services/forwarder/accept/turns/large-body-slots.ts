// Large bodies are opened and converted one at a time of each sender, so that whoever sends many of them waits for
// himself.
//
// Guarantees: as sender-slots.ts has it; whoever has waited too long is refused, and his bytes are free again.

import type { IncomingMessage } from 'node:http';
import { type RequestWaitOptions, requestWait } from './request-wait.ts';
import { SenderSlots } from './sender-slots.ts';

/** A body of more, uncompressed, is large. */
export const LARGE_BODY_BYTES = 1024 * 1024;

export class LargeBodySlots {
  readonly #options: RequestWaitOptions;
  readonly #slots = new SenderSlots(1);

  constructor(options: RequestWaitOptions) {
    this.#options = options;
  }

  /** Rejects with `tooBusy`, or request_malformed where the request is given up. */
  async enter(sender: string, request: IncomingMessage | null = null): Promise<Disposable> {
    const slot = this.#slots.tryEnter(sender);
    if (slot) return slot;
    using wait = requestWait(request, this.#options);
    return await this.#slots.enter(sender, wait.signal);
  }
}
