// What all connections of an input, or all datagrams, may have worked on in one turn of the event loop. The kernel
// hands over as much as came: 32 reads of one connection, one of a thousand, 32 datagrams. Each by itself is short, and
// all of them together are not.
//
// Guarantees: a turn has work of `bytesMax`, what each step costs beside its bytes among it, and of one step more;
// nobody waits in a turn of which something is left; of those who wait, senders go on one after another, and the steps
// of one sender in the order of the asking.

import { grantedOrAborted } from '#shared/abort.ts';
import { SenderQueues } from './sender-queues.ts';

const KIB = 1024;
/** Of GELF: 6 ms of the costliest that is known, thousands of short keys. */
export const GELF_TURN_BYTES = 128 * KIB;
/** Of syslog: 8 ms of the costliest, thousands of parameters of structured data. */
export const SYSLOG_TURN_BYTES = 256 * KIB;

/** What a step costs beside its bytes, a chunk among it: some 40 µs. */
const STEP_BYTES = 512;

interface Waiter {
  readonly bytes: number;
  readonly goOn: () => void;
}

export class TurnBytes {
  readonly #bytesMax: number;
  readonly #stepBytes: number;
  readonly #waiting = new SenderQueues<Waiter>();
  #used = 0;
  #isDue = false;

  /** `stepBytes`: what a step costs beside its bytes. */
  constructor(bytesMax: number, stepBytes = STEP_BYTES) {
    this.#bytesMax = bytesMax;
    this.#stepBytes = stepBytes;
  }

  /** Whether so many may be worked on now; counted if so. */
  take(bytes: number): boolean {
    if (this.#used >= this.#bytesMax || this.#waiting.length > 0) return false;
    this.#use(bytes);
    return true;
  }

  /** Resolves when so many may be worked on, or `gone` is aborted: then nothing is counted. */
  async wait(bytes: number, sender = '', gone?: AbortSignal): Promise<void> {
    if (gone?.aborted || this.take(bytes)) return;
    await grantedOrAborted((goOn) => {
      const place = this.#waiting.push(sender, { bytes, goOn });
      return () => this.#waiting.delete(place);
    }, gone);
  }

  /** Counts what a step turned out to cost beyond what was asked for, or less: then it is negative. */
  add(bytes: number): void {
    this.#use(bytes - this.#stepBytes);
  }

  #use(bytes: number): void {
    this.#used += bytes + this.#stepBytes;
    if (this.#isDue) return;
    this.#isDue = true;
    // Comes when all has been read that was there.
    setImmediate(() => this.#startTurn());
  }

  #startTurn(): void {
    this.#isDue = false;
    this.#used = 0;
    while (this.#used < this.#bytesMax) {
      const next = this.#waiting.shift();
      if (!next) return;
      this.#use(next.bytes);
      next.goOn();
    }
  }
}
