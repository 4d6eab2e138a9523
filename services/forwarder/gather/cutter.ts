// Cuts shares that are larger than a record is meant to be, before they stand in line. A large one is cut in steps, and
// other work of the process has its turn between them: few bytes of a sender become a share that takes half a second to
// pass over.
//
// Guarantees: shares of one sender of a tenant come out in the order in which they were added; those of others do not
// wait for them, whether or not anybody has a tenant.

import { setImmediate } from 'node:timers/promises';
import { type Share, splitShare } from './share.ts';

/** Of all lanes together, since they share the event loop: one step for each of its turns. */
let lastTurn: Promise<void> = Promise.resolve();

export class Cutter {
  readonly #bytesMax: number;
  readonly #ready: (shares: readonly Share[]) => void;
  /** By tenant and sender: those behind the one that is being cut. */
  readonly #behind = new Map<string, Share[]>();
  #idle = Promise.withResolvers<void>();

  /** `ready` is called for each share that was added, in order: with its parts, or itself where it is small enough. */
  constructor(bytesMax: number, ready: (shares: readonly Share[]) => void) {
    this.#bytesMax = bytesMax;
    this.#ready = ready;
  }

  get isBusy(): boolean {
    return this.#behind.size > 0;
  }

  /** Resolves when nothing is being cut any more. */
  async idle(): Promise<void> {
    while (this.isBusy) await this.#idle.promise;
  }

  add(share: Share): void {
    const whose = whoseOf(share);
    const behind = this.#behind.get(whose);
    if (behind) {
      behind.push(share);
      return;
    }
    const steps = this.#cut(share);
    const { done, value } = steps.next();
    if (done === true) this.#ready(value);
    else void this.#goOn(whose, steps);
  }

  async #goOn(whose: string, begun: Cutting): Promise<void> {
    const behind: Share[] = [];
    this.#behind.set(whose, behind);
    this.#ready(await inTurns(begun));
    for (let share = behind.shift(); share; share = behind.shift()) this.#ready(await inTurns(this.#cut(share)));
    this.#behind.delete(whose);
    if (this.isBusy) return;
    this.#idle.resolve();
    this.#idle = Promise.withResolvers();
  }

  *#cut(share: Share): Cutting {
    const { encoding, batch, bytes } = share;
    // A single event that is larger stays what it is: it cannot be parted.
    if (encoding !== 'identity' || batch.count === 1 || bytes.length <= this.#bytesMax) return [share];
    return yield* splitShare(share, this.#bytesMax);
  }
}

/** Names that make the same of two senders only make them wait for each other. */
function whoseOf({ batch: { tenant, sender } }: Share): string {
  return `${tenant ?? ''}\0${sender}`;
}

type Cutting = ReturnType<typeof splitShare>;

/** What `steps` come to; other work has its turn before each. */
export async function inTurns<T>(steps: Generator<null, T, void>): Promise<T> {
  let step = steps.next();
  while (step.done !== true) {
    lastTurn = lastTurn.then(() => setImmediate());
    await lastTurn;
    step = steps.next();
  }
  return step.value;
}
