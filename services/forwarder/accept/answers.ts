// The answers that a connection still owes. They go out in the order in which their chunks came, each as a write of its own
// (fluent-logger-node reads one ack from each), and only when the chunk is held.

export class Answers {
  readonly #write: (answer: Uint8Array) => void;
  readonly #owed: { answer: Uint8Array | null }[] = [];

  constructor(write: (answer: Uint8Array) => void) {
    this.#write = write;
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
      const answer = this.#owed[0]?.answer;
      if (!answer) return;
      this.#owed.shift();
      this.#write(answer);
    }
  }
}
