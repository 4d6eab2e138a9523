// So many at once of all senders, and fewer of one: who has many under way, each of which takes long, leaves some of
// the slots to everybody else.
//
// Guarantees: as fair-slots.ts has it, among the senders and of each; whoever is gone does not wait; nothing is kept of
// a sender that has none under way and waits for none.

import { FairSlots } from './fair-slots.ts';

interface Own {
  readonly turns: FairSlots;
  users: number;
}

export class SharedSlots {
  readonly #all: FairSlots;
  readonly #ofOneMax: number;
  readonly #own = new Map<string, Own>();

  constructor({ all, ofOne }: { readonly all: number; readonly ofOne: number }) {
    this.#all = new FairSlots(all);
    this.#ofOneMax = ofOne;
  }

  /** Resolves when the sender has a slot, until it is disposed of, once. Rejects with the signal's reason. */
  async enter(sender: string, signal: AbortSignal): Promise<Disposable> {
    using taken = new DisposableStack();
    const own = this.#own.get(sender) ?? { turns: new FairSlots(this.#ofOneMax), users: 0 };
    this.#own.set(sender, own);
    own.users += 1;
    taken.defer(() => {
      own.users -= 1;
      if (own.users === 0) this.#own.delete(sender);
    });
    taken.use(await own.turns.enter(sender, signal));
    taken.use(await this.#all.enter(sender, signal));
    return taken.move();
  }
}
