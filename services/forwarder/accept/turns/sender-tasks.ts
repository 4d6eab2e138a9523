// Work on messages of many senders that goes on beside us: those of one sender one after another, so that their order
// stays; of several senders at a time, so that nobody waits for what another one sent.
//
// Guarantees: what waits is bounded by bytes, in all and of one sender (an address, or an IPv6 network of 64 bits);
// work that rejects is a mistake of ours, and ends the process.

import { networkOfPeer } from '#shared/net/networks.ts';

/** What work that waits costs beside the bytes of its message. */
const OVERHEAD_BYTES = 1024;

export interface SenderTasksOptions {
  readonly bytesMax: number;
  readonly senderBytesMax: number;
}

interface Line {
  bytes: number;
  last: Promise<void>;
}

export class SenderTasks {
  readonly #options: SenderTasksOptions;
  readonly #lines = new Map<string, Line>();
  #bytes = 0;

  constructor(options: SenderTasksOptions) {
    this.#options = options;
  }

  /** Whether the sender has nothing in hand, so that what comes of it now needs not wait. */
  isIdle(sender: string): boolean {
    return this.#lines.size === 0 || !this.#lines.has(networkOfPeer(sender));
  }

  /** Whether the sender may bring one more message. */
  hasRoom(sender: string): boolean {
    const { bytesMax, senderBytesMax } = this.#options;
    if (this.#lines.size === 0) return true;
    return this.#bytes < bytesMax && (this.#lines.get(networkOfPeer(sender))?.bytes ?? 0) < senderBytesMax;
  }

  /** Works when all is done that the sender brought before. */
  add(sender: string, messageBytes: number, work: () => Promise<void>): void {
    const name = networkOfPeer(sender);
    const bytes = messageBytes + OVERHEAD_BYTES;
    const line = this.#lines.get(name) ?? { bytes: 0, last: Promise.resolve() };
    this.#lines.set(name, line);
    line.bytes += bytes;
    this.#bytes += bytes;
    line.last = line.last.then(work).then(() => {
      line.bytes -= bytes;
      this.#bytes -= bytes;
      if (line.bytes === 0) this.#lines.delete(name);
    });
  }

  /** Resolves when all that was brought is done. */
  async idle(): Promise<void> {
    while (this.#lines.size > 0) await Promise.all([...this.#lines.values()].map(({ last }) => last));
  }
}
