// What was read of connections without acks and waits for its turn, or for room: a bound on all of it. A connection
// that has a rest is read no further anyway; so this says whether those that have none may bring one.
//
// Guarantees: a network has no more than it leaves free of `bytesMax`, but for a read of each of its connections; a
// network that has nothing may always read; whoever was stopped is told when it may read again. To tell all connections
// of a network costs nothing beside what their network had to bring, or to have taken, since it was told last.

import { DynamicShares } from '../turns/dynamic-shares.ts';

export interface RestReader {
  /** Reads on, or stops, as `mayRead` tells. */
  flow(): void;
}

/** What one connection has. */
export interface RestPass {
  readonly reader: RestReader;
  readonly network: string;
  bytes: number;
}

/**
 * A network that was stopped goes on when it has as much of what it leaves free: else it would be told so for every
 * piece.
 */
const OPEN_SHARE = 0.5;

interface Network {
  readonly passes: Set<RestPass>;
  isStopped: boolean;
}

export class UnreadRests {
  readonly #shares: DynamicShares;
  readonly #networks = new Map<string, Network>();

  constructor(bytesMax: number) {
    this.#shares = new DynamicShares(bytesMax);
  }

  get bytes(): number {
    return this.#shares.bytes;
  }

  enter(reader: RestReader, network: string): RestPass {
    const pass = { reader, network, bytes: 0 };
    const known = this.#networks.get(network);
    if (known) known.passes.add(pass);
    else this.#networks.set(network, { passes: new Set([pass]), isStopped: false });
    return pass;
  }

  leave(pass: RestPass): void {
    this.update(pass, 0);
    const network = this.#networks.get(pass.network);
    network?.passes.delete(pass);
    if (network?.passes.size === 0) this.#networks.delete(pass.network);
  }

  mayRead({ network }: RestPass): boolean {
    return this.#networks.get(network)?.isStopped !== true;
  }

  update(pass: RestPass, bytes: number): void {
    if (bytes === pass.bytes) return;
    this.#shares.take(pass.network, bytes);
    this.#shares.give(pass.network, pass.bytes);
    pass.bytes = bytes;
    const network = this.#networks.get(pass.network);
    if (!network) return;
    // Others together may have more than the bound; a network that has nothing would never be asked again.
    const free = Math.max(0, this.#shares.bytesMax - this.#shares.bytes);
    const isStopped = this.#shares.of(pass.network) > free * (network.isStopped ? OPEN_SHARE : 1);
    if (network.isStopped === isStopped) return;
    network.isStopped = isStopped;
    for (const { reader } of network.passes) reader.flow();
  }
}
