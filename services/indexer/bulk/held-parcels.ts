// The parcels that the writer holds, and whether there is room for another: a parcel more than there are slots, so that the next one is
// ready when a slot is free, and no more bytes set aside than were agreed. Whoever brings parcels waits for room.
//
// Guarantees: a parcel counts from `hold` to `release`; waiters look again after each change, in a microtask, when all of it is done.

import { type Parcel, bytesOf, eventsOf } from './parcel.ts';

export interface HeldParcelsOptions {
  /** Slots as of now. */
  readonly slots: () => number;
  /** The most bytes that may wait for another try before nothing more is taken in. */
  readonly asideBytesMax: number;
}

export class HeldParcels {
  readonly #options: HeldParcelsOptions;
  readonly #held = new Set<Parcel>();
  /** With the bytes of each. */
  readonly #aside = new Map<Parcel, number>();
  #asideBytes = 0;
  #closed = false;
  #roomWaiters: (() => void)[] = [];
  #idleWaiters: (() => void)[] = [];

  constructor(options: HeldParcelsOptions) {
    this.#options = options;
  }

  get events(): number {
    let events = 0;
    for (const parcel of this.#held) events += eventsOf(parcel.runs);
    return events;
  }

  hold(parcel: Parcel): void {
    this.#held.add(parcel);
  }

  release(parcel: Parcel): void {
    this.takeUp(parcel);
    this.#held.delete(parcel);
    this.#wake();
  }

  /** The parcel waits for another try, and holds no place that others could have. */
  setAside(parcel: Parcel): void {
    if (!this.#aside.has(parcel)) {
      const bytes = bytesOf(parcel);
      this.#asideBytes += bytes;
      this.#aside.set(parcel, bytes);
    }
    this.#wake();
  }

  takeUp(parcel: Parcel): void {
    this.#asideBytes -= this.#aside.get(parcel) ?? 0;
    this.#aside.delete(parcel);
  }

  async room(): Promise<void> {
    while (!this.#hasRoom) await new Promise<void>((resolve) => this.#roomWaiters.push(resolve));
  }

  async idle(): Promise<void> {
    while (this.#held.size > 0) await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Nobody waits for room any more. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  get #hasRoom(): boolean {
    if (this.#closed) return true;
    const { slots, asideBytesMax } = this.#options;
    return this.#held.size - this.#aside.size <= slots() && this.#asideBytes < asideBytesMax;
  }

  #wake(): void {
    if (this.#roomWaiters.length > 0 && this.#hasRoom) for (const wake of this.#roomWaiters.splice(0)) wake();
    if (this.#idleWaiters.length > 0 && this.#held.size === 0) for (const wake of this.#idleWaiters.splice(0)) wake();
  }
}
