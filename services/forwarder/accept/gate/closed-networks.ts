// The networks that hold more than their share of the reading gate, in the orders in which the gate asks for them.
//
// Guarantee: each call takes the logarithm of how many there are at most; `next` as gate-network.ts has it.

import { Heap } from '#shared/collections/heap.ts';
import { type GateNetwork, type GatePass, rotate } from './gate-network.ts';

export class ClosedNetworks {
  /** Who has waited longest for a turn comes first. */
  readonly #all = new Set<GateNetwork>();
  /** The same, who holds least first; and those of them that do not take new connections. */
  readonly #bySize = new Heap<GateNetwork>((a, b) => a.bytes < b.bytes);
  readonly #refusing = new Heap<GateNetwork>((a, b) => a.bytes < b.bytes);

  get count(): number {
    return this.#all.size;
  }

  /** Who holds least. */
  get least(): GateNetwork | undefined {
    return this.#bySize.first;
  }

  /** Who holds least of those that do not take new connections. */
  get leastRefusing(): GateNetwork | undefined {
    return this.#refusing.first;
  }

  [Symbol.iterator](): SetIterator<GateNetwork> {
    return this.#all.values();
  }

  add(network: GateNetwork): void {
    this.#all.add(network);
    this.update(network);
  }

  delete(network: GateNetwork): void {
    this.#all.delete(network);
    this.#bySize.delete(network);
    this.#refusing.delete(network);
  }

  /** What it holds has changed, or whether it takes new connections. Nothing where it is not closed. */
  update(network: GateNetwork): void {
    if (!this.#all.has(network)) return;
    this.#bySize.update(network);
    if (network.takesNew) this.#refusing.delete(network);
    else this.#refusing.update(network);
  }

  /** It had its turn: all others come before it. */
  hadTurn(network: GateNetwork): void {
    if (this.#all.delete(network)) this.#all.add(network);
  }

  /** Whose turn it is; null where nobody can use one. */
  next(): GatePass | null {
    let next: GatePass | null = null;
    rotate(this.#all, (network) => (next = network.next()) !== null);
    return next;
  }
}
