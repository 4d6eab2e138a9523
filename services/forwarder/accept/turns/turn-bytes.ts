// What all connections of an input, or all datagrams, may have worked on in one turn of the event loop. The kernel
// hands over as much as came: 32 reads of one connection, one of a thousand, 32 datagrams. Each by itself is short, and
// all of them together are not.
//
// Guarantees: a turn has work of `bytesMax`, what each step costs beside its bytes among it, and of one step more;
// nobody waits in a turn of which something is left; of those who wait, senders go on one after another, and the steps
// of one sender in the order of the asking.

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
  isGone: boolean;
}

export class TurnBytes {
  readonly #bytesMax: number;
  readonly #stepBytes: number;
  /** By sender; who had a step last is last. */
  readonly #waiting = new Map<string, Waiter[]>();
  #used = 0;
  #isDue = false;

  /** `stepBytes`: what a step costs beside its bytes. */
  constructor(bytesMax: number, stepBytes = STEP_BYTES) {
    this.#bytesMax = bytesMax;
    this.#stepBytes = stepBytes;
  }

  /** Whether so many may be worked on now; counted if so. */
  take(bytes: number): boolean {
    if (this.#used >= this.#bytesMax || this.#waiting.size > 0) return false;
    this.#use(bytes);
    return true;
  }

  /** Resolves when so many may be worked on, or `gone` is aborted: then nothing is counted. */
  async wait(bytes: number, sender = '', gone?: AbortSignal): Promise<void> {
    if (gone?.aborted || this.take(bytes)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter = { bytes, resolve, isGone: false };
    const line = this.#waiting.get(sender);
    if (line) line.push(waiter);
    else this.#waiting.set(sender, [waiter]);
    // It is taken out of its line when its turn comes: thousands may leave at once.
    const leave = (): void => {
      waiter.isGone = true;
      resolve();
    };
    gone?.addEventListener('abort', leave, { once: true });
    await promise;
    gone?.removeEventListener('abort', leave);
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
    setImmediate(() => this.#begin());
  }

  #begin(): void {
    this.#isDue = false;
    this.#used = 0;
    for (const [sender, line] of this.#waiting) {
      if (this.#used >= this.#bytesMax) return;
      this.#waiting.delete(sender);
      const next = line.shift();
      // Behind all others, which this same loop comes to before.
      if (line.length > 0) this.#waiting.set(sender, line);
      if (!next || next.isGone) continue;
      this.#use(next.bytes);
      next.resolve();
    }
  }
}
