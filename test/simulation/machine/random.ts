// Chance, from a seed alone. Each part of the simulation draws from a stream of its own, so that one more draw in one
// part does not change what the others see.

import { seeded } from '#test/indexer/world.ts';

export class Random {
  /** A number in [0, 1). */
  readonly next: () => number;
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
    this.next = seeded(seed);
    // Neighbouring seeds begin alike.
    for (let i = 0; i < 4; i++) this.next();
  }

  /** A stream of its own for what is called `name`. */
  fork(name: string): Random {
    let hash = this.#seed ^ 0x9e3779b9;
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
    return new Random(hash >>> 0);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  between(least: number, most: number): number {
    return least + (most - least) * this.next();
  }

  /** A whole number, both ends included. */
  integer(least: number, most: number): number {
    return least + Math.floor((most - least + 1) * this.next());
  }

  pick<T>(choices: readonly [T, ...T[]]): T {
    return choices[Math.floor(this.next() * choices.length)] ?? choices[0];
  }
}
