// One action at a time, in the order in which they were asked for, whether those before succeed or not.
//
// Guarantees: nothing is kept of what an action gave: it may be the memory of a large body, and the next action may be
// long in coming.

export class Exclusive {
  #last: Promise<void> = Promise.resolve();

  run<T>(action: () => Promise<T>): Promise<T> {
    const running = this.#last.then(action);
    this.#last = running.then(ignore, ignore);
    return running;
  }
}

function ignore(): void {}
