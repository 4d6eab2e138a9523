// What all connections of an input, or all datagrams, may have worked on in one turn of the event loop. The kernel hands over as much as came:
// 32 reads of one connection, one of a thousand, 32 datagrams. Each by itself is short, and all of them together are not.
//
// Guarantees: a turn has work of `bytesMax`, what each costs beside its bytes among it, and of one message or read more; who waits goes on in the order of the asking.

const KIB = 1024;
/** Of GELF: 6 ms of the costliest that is known, thousands of short keys. */
export const GELF_TURN_BYTES = 128 * KIB;
/** Of syslog: 8 ms of the costliest, thousands of parameters of structured data. */
export const SYSLOG_TURN_BYTES = 256 * KIB;

/** What a step costs beside its bytes, a chunk among it: some 40 µs. */
const STEP_BYTES = 512;

interface Waiter {
  readonly bytes: number;
  readonly resolve: () => void;
}

export class TurnBytes {
  readonly #bytesMax: number;
  readonly #waiting: Waiter[] = [];
  #used = 0;
  #isDue = false;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Whether so many may be worked on now; counted if so. */
  take(bytes: number): boolean {
    if (this.#used >= this.#bytesMax || this.#waiting.length > 0) return false;
    this.#use(bytes);
    return true;
  }

  /** Resolves when so many may be worked on. */
  async wait(bytes: number): Promise<void> {
    if (this.take(bytes)) return;
    await new Promise<void>((resolve) => this.#waiting.push({ bytes, resolve }));
  }

  #use(bytes: number): void {
    this.#used += bytes + STEP_BYTES;
    if (this.#isDue) return;
    this.#isDue = true;
    // Comes when all has been read that was there.
    setImmediate(() => this.#begin());
  }

  #begin(): void {
    this.#isDue = false;
    this.#used = 0;
    while (this.#used < this.#bytesMax) {
      const next = this.#waiting.shift();
      if (!next) break;
      this.#use(next.bytes);
      next.resolve();
    }
  }
}
