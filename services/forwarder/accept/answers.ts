// The answers that a connection still owes. They go out in the order in which their chunks came, each as a write of its own
// (fluent-logger-node reads one ack from each), and only when the chunk is held.

export class Answers {
  readonly #write: (answer: Uint8Array) => void;
  /** Those before `#first` are written. */
  #owed: { answer: Uint8Array | null }[] = [];
  #first = 0;

  constructor(write: (answer: Uint8Array) => void) {
    this.#write = write;
  }

  /** Answers that are not written yet. */
  get count(): number {
    return this.#owed.length - this.#first;
  }

  /** A place in the order. Call what it gives back with the answer when the chunk is held. */
  owe(): (answer: Uint8Array) => void {
    const place: { answer: Uint8Array | null } = { answer: null };
    this.#owed.push(place);
    return (answer) => {
      place.answer = answer;
      this.#writeReady();
    };
  }

  #writeReady(): void {
    for (;;) {
      const answer = this.#owed[this.#first]?.answer;
      if (!answer) break;
      this.#first++;
      this.#write(answer);
    }
    // Taking one by one from the front of a long array would cost its length each time.
    if (this.#first * 2 >= this.#owed.length) {
      this.#owed = this.#owed.slice(this.#first);
      this.#first = 0;
    }
  }
}
