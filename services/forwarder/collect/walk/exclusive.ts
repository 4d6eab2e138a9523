// One action at a time, in the order in which they were asked for, whether those before succeed or not.

export class Exclusive {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(action: () => Promise<T>): Promise<T> {
    const running = this.#last.then(action);
    this.#last = running.catch(() => undefined);
    return running;
  }
}
