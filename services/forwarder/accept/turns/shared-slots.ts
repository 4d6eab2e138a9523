// So many at once of all senders, and fewer of one: who has many under way, each of which takes long, leaves some of
// the slots to everybody else.
//
// Guarantees: as fair-slots.ts has it among the senders, and sender-slots.ts of each.

import { FairSlots } from './fair-slots.ts';
import { SenderSlots } from './sender-slots.ts';

export class SharedSlots {
  readonly #all: FairSlots;
  readonly #ofOne: SenderSlots;

  constructor({ all, ofOne }: { readonly all: number; readonly ofOne: number }) {
    this.#all = new FairSlots(all);
    this.#ofOne = new SenderSlots(ofOne);
  }

  /** A slot, until it is disposed of; null where the sender has to wait. */
  tryEnter(sender: string): Disposable | null {
    using taken = new DisposableStack();
    for (const slots of [this.#ofOne, this.#all]) {
      const slot = slots.tryEnter(sender);
      if (!slot) return null;
      taken.use(slot);
    }
    return taken.move();
  }

  /** Resolves when the sender has a slot, until it is disposed of. Rejects with the signal's reason. */
  async enter(sender: string, signal: AbortSignal): Promise<Disposable> {
    using taken = new DisposableStack();
    taken.use(await this.#ofOne.enter(sender, signal));
    taken.use(await this.#all.enter(sender, signal));
    return taken.move();
  }
}
