// The commits of a member under one generation of its group. The coordinator takes them in the order in which they
// reach it, which need not be ours: each connection has its own.
//
// Guarantees: each commit is tried once, with this generation. `settled` resolves when all that were sent are answered
// or given up: what is committed after that is not undone by them. (One that was given up may still reach a coordinator
// that was away.)

import type { OffsetKeeper } from '../kafkajs/patches/offset-manager.ts';

type Offsets = Parameters<OffsetKeeper['commitOffsets']>[0];

export class GenerationCommits {
  readonly #keeper: OffsetKeeper;
  readonly #sent = new Set<Promise<void>>();

  /** `outOfRange`: nothing is to be had of a partition at the offset that was to be fetched. */
  constructor(keeper: OffsetKeeper, outOfRange: (partition: number) => void) {
    this.#keeper = keeper;
    keeper.outOfRange = outOfRange;
  }

  async commit(offsets: Offsets): Promise<void> {
    const sent = this.#keeper.commitOffsets(offsets);
    this.#sent.add(sent);
    try {
      await sent;
    } finally {
      this.#sent.delete(sent);
    }
  }

  async settled(): Promise<void> {
    while (this.#sent.size > 0) await Promise.allSettled(this.#sent);
  }
}
