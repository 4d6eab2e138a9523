// How many answers are made at once: of searches, which end by themselves, and of tails, which do not. Nobody has more
// than half of them, so that one tenant's dashboard does not shut out the others.
//
// Guarantee: a slot is given back once.

export interface SlotLimits {
  readonly searches: number;
  readonly tails: number;
}

export type SlotKind = keyof SlotLimits;

export class ReadSlots {
  readonly #limits: SlotLimits;
  readonly #taken: Record<SlotKind, number> = { searches: 0, tails: 0 };
  /** By kind and holder. */
  readonly #byHolder = new Map<string, number>();

  constructor(limits: SlotLimits) {
    this.#limits = limits;
  }

  taken(kind: SlotKind): number {
    return this.#taken[kind];
  }

  /** Null where there is none for the holder now. `isShared`: others may come, and half is theirs. */
  take(kind: SlotKind, holder: string, isShared: boolean): Disposable | null {
    const max = this.#limits[kind];
    const key = `${kind} ${holder}`;
    const own = this.#byHolder.get(key) ?? 0;
    if (this.#taken[kind] >= max || (isShared && own >= Math.ceil(max / 2))) return null;
    this.#taken[kind] += 1;
    this.#byHolder.set(key, own + 1);
    let isTaken = true;
    return {
      [Symbol.dispose]: () => {
        if (!isTaken) return;
        isTaken = false;
        this.#taken[kind] -= 1;
        const left = (this.#byHolder.get(key) ?? 1) - 1;
        if (left > 0) this.#byHolder.set(key, left);
        else this.#byHolder.delete(key);
      },
    };
  }
}
