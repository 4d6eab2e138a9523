// Who has to go where all is full: one connection after another, always the largest of the closed network that holds
// most. Made for one round, for what each holds stays as it is meanwhile, but for those that go. Nobody is given twice,
// gone or not.

import type { GateNetwork, GatePass } from './gate-network.ts';
import { Heap } from '#shared/collections/heap.ts';

export class Largest {
  readonly #networks: Heap<GateNetwork>;
  readonly #passes = new Map<GateNetwork, Heap<GatePass>>();
  readonly #isOfKind: (pass: GatePass) => boolean;
  /** Of the one that was given last, which holds less when that has gone. */
  #last: GateNetwork | null = null;

  constructor(networks: Iterable<GateNetwork>, isOfKind: (pass: GatePass) => boolean) {
    this.#networks = new Heap((a, b) => a.bytes > b.bytes, networks);
    this.#isOfKind = isOfKind;
  }

  /**
   * The next one of the kind, which is to go; null where none is left, or where `passesOn` is false in the network that
   * holds most.
   */
  take(passesOn: boolean): GatePass | null {
    if (this.#last) this.#networks.update(this.#last);
    this.#last = null;
    for (let network; (network = this.#networks.first);) {
      const pass = network.isClosed ? this.#passesOf(network).first : undefined;
      if (!pass) {
        if (network.isClosed && !passesOn) return null;
        this.#networks.delete(network);
        continue;
      }
      this.#passesOf(network).delete(pass);
      if (network.passes.has(pass)) {
        this.#last = network;
        return pass;
      }
      this.#networks.update(network);
    }
    return null;
  }

  #passesOf(network: GateNetwork): Heap<GatePass> {
    const known = this.#passes.get(network);
    if (known) return known;
    const passes = network.largest(this.#isOfKind);
    this.#passes.set(network, passes);
    return passes;
  }
}
