// The answers that a connection still owes. They go out in the order in which their chunks came, and only when the
// chunk is held. Those that become due in the same moment are one write: each write is a call of the kernel, and a
// record may settle hundreds of chunks of a connection.
// (fluent-logger-node reads one ack from each write, and has one chunk under way.)

import { Fifo } from '#shared/collections/fifo.ts';

/** A place in the order of answers. */
export interface OwedAnswer {
  /** Null until the chunk is held, and when it is written. */
  answer: Uint8Array | null;
  whenWritten: (() => void) | null;
  /** It is never written. */
  isCut: boolean;
}

export class AckQueue {
  readonly #write: (answers: Uint8Array) => boolean;
  readonly #owed = new Fifo<OwedAnswer>();
  #isCut = false;
  #isDue = false;
  #bytes = 0;
  /** Whether the peer was ever answered: only then does it read. */
  hasWritten = false;

  /** `write`: false where nobody is there any more. */
  constructor(write: (answers: Uint8Array) => boolean) {
    this.#write = write;
  }

  /** Answers that are not written yet. */
  get count(): number {
    return this.#owed.length;
  }

  /** Of answers that wait for those before them. */
  get bytes(): number {
    return this.#bytes;
  }

  owe(): OwedAnswer {
    const place: OwedAnswer = { answer: null, whenWritten: null, isCut: this.#isCut };
    if (!this.#isCut) this.#owed.push(place);
    return place;
  }

  /**
   * The chunk is held. The answer goes out behind those before it, when all that was settled in this moment is settled.
   * `whenWritten` is called then, if it was written.
   */
  give(place: OwedAnswer, answer: Uint8Array, whenWritten: (() => void) | null = null): void {
    if (place.isCut) return;
    this.#bytes += answer.length;
    place.answer = answer;
    place.whenWritten = whenWritten;
    if (this.#isDue || place !== this.#owed.first) return;
    this.#isDue = true;
    // After all promises that are settled now have been heard.
    process.nextTick(() => this.flush());
  }

  /** The chunk is not held: neither it nor those behind it are answered, for their senders expect answers in order. */
  cut(place: OwedAnswer): void {
    for (const one of this.#owed.removeFrom(place)) {
      one.isCut = true;
      this.#bytes -= one.answer?.length ?? 0;
    }
    this.#isCut = true;
  }

  /** Writes what is due now: before the connection is ended. */
  flush(): void {
    this.#isDue = false;
    const due: Uint8Array[] = [];
    const written: (() => void)[] = [];
    for (let place = this.#owed.first; place?.answer; place = this.#owed.first) {
      due.push(place.answer);
      this.#bytes -= place.answer.length;
      if (place.whenWritten) written.push(place.whenWritten);
      // Whoever has the place may keep it for a while; what its chunk holds must not stay so long.
      place.answer = null;
      place.whenWritten = null;
      this.#owed.shift();
    }
    const [only] = due;
    if (only === undefined) return;
    this.hasWritten = true;
    if (!this.#write(due.length === 1 ? only : Buffer.concat(due))) return;
    for (const whenWritten of written) whenWritten();
  }
}
