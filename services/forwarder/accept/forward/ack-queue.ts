// The answers that a connection still owes. They go out in the order in which their chunks came, each as a write of its
// own (fluent-logger-node reads one ack from each), and only when the chunk is held.

/** A place in the order of answers. */
export interface OwedAnswer {
  /** Null until the chunk is held. */
  answer: Uint8Array | null;
  whenWritten: (() => void) | null;
}

export class AckQueue {
  readonly #write: (answer: Uint8Array) => void;
  /** Those before `#first` are written. */
  #owed: OwedAnswer[] = [];
  #first = 0;
  #isCut = false;
  /** Whether the peer was ever answered: only then does it read. */
  hasWritten = false;

  constructor(write: (answer: Uint8Array) => void) {
    this.#write = write;
  }

  /** Answers that are not written yet. */
  get count(): number {
    return this.#owed.length - this.#first;
  }

  owe(): OwedAnswer {
    const place: OwedAnswer = { answer: null, whenWritten: null };
    if (!this.#isCut) this.#owed.push(place);
    return place;
  }

  /** The chunk is held. `whenWritten` is called when the answer goes out, behind those before it. */
  give(place: OwedAnswer, answer: Uint8Array, whenWritten: (() => void) | null = null): void {
    place.answer = answer;
    place.whenWritten = whenWritten;
    this.#writeReady();
  }

  /** The chunk is not held: neither it nor those behind it are answered, for their senders expect answers in order. */
  cut(place: OwedAnswer): void {
    const at = this.#owed.indexOf(place, this.#first);
    if (at >= 0) this.#owed.length = at;
    this.#isCut = true;
  }

  #writeReady(): void {
    for (;;) {
      const place = this.#owed[this.#first];
      if (!place?.answer) break;
      this.#first++;
      this.hasWritten = true;
      this.#write(place.answer);
      place.whenWritten?.();
      // A place stays for a while; what its chunk holds must not.
      place.whenWritten = null;
    }
    // Taking one by one from the front of a long array would cost its length each time.
    if (this.#first * 2 >= this.#owed.length) {
      this.#owed = this.#owed.slice(this.#first);
      this.#first = 0;
    }
  }
}
