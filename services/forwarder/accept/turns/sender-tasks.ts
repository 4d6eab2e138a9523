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

interface Tasks {
  bytes: number;
  last: Promise<void>;
}

export class SenderTasks {
  readonly #options: SenderTasksOptions;
  readonly #bySender = new Map<string, Tasks>();
  #bytes = 0;

  constructor(options: SenderTasksOptions) {
    this.#options = options;
  }

  /** Whether the sender has nothing in hand, so that what comes of it now needs not wait. */
  isIdle(sender: string): boolean {
    return this.#bySender.size === 0 || !this.#bySender.has(networkOfPeer(sender));
  }

  /** Whether the sender may bring one more message. */
  hasRoom(sender: string): boolean {
    const { bytesMax, senderBytesMax } = this.#options;
    if (this.#bySender.size === 0) return true;
    return this.#bytes < bytesMax && (this.#bySender.get(networkOfPeer(sender))?.bytes ?? 0) < senderBytesMax;
  }

  /** Works when all is done that the sender brought before. */
  add(sender: string, messageBytes: number, work: () => Promise<void>): void {
    const name = networkOfPeer(sender);
    const bytes = messageBytes + OVERHEAD_BYTES;
    const tasks = this.#bySender.get(name) ?? { bytes: 0, last: Promise.resolve() };
    this.#bySender.set(name, tasks);
    tasks.bytes += bytes;
    this.#bytes += bytes;
    tasks.last = tasks.last.then(work).then(() => {
      tasks.bytes -= bytes;
      this.#bytes -= bytes;
      if (tasks.bytes === 0) this.#bySender.delete(name);
    });
  }

  /** Resolves when all that was brought is done. */
  async idle(): Promise<void> {
    while (this.#bySender.size > 0) await Promise.all([...this.#bySender.values()].map(({ last }) => last));
  }
}
