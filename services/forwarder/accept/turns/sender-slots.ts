// So many at once of each sender; those beyond wait for others of the same sender, in order, and for nobody else.
//
// Guarantees: a slot is given back at most once; whoever is gone does not wait; nothing is kept of a sender that has no
// slot and waits for none.

import { FairSlots } from './fair-slots.ts';

interface Own {
  readonly slots: FairSlots;
  users: number;
}

export class SenderSlots {
  readonly #ofOneMax: number;
  readonly #own = new Map<string, Own>();

  constructor(ofOneMax: number) {
    this.#ofOneMax = ofOneMax;
  }

  /** A slot, until it is disposed of; null where the sender has to wait. */
  tryEnter(sender: string): Disposable | null {
    using taken = new DisposableStack();
    const slot = this.#use(sender, taken).tryEnter(sender);
    if (!slot) return null;
    taken.use(slot);
    return taken.move();
  }

  /** Resolves when the sender has a slot, until it is disposed of. Rejects with the signal's reason. */
  async enter(sender: string, signal: AbortSignal): Promise<Disposable> {
    using taken = new DisposableStack();
    taken.use(await this.#use(sender, taken).enter(sender, signal));
    return taken.move();
  }

  #use(sender: string, taken: DisposableStack): FairSlots {
    const own = this.#own.get(sender) ?? { slots: new FairSlots(this.#ofOneMax), users: 0 };
    this.#own.set(sender, own);
    own.users += 1;
    taken.defer(() => {
      own.users -= 1;
      if (own.users === 0) this.#own.delete(sender);
    });
    return own.slots;
  }
}
