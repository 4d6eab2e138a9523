// The figures of the topic behind the spool as they were last seen. While the topic cannot be reached, appends use
// them.

import type { Queue } from '../queue.ts';
import { type TopicFigures, UNSEEN_TOPIC } from './topic-memory.ts';

export interface SeenTopicOptions {
  /** What an earlier process saw. */
  readonly remembered?: TopicFigures;
  /** The topic has other figures than those. */
  readonly learned?: (figures: TopicFigures) => void;
}

export class SeenTopic {
  readonly #upstream: Queue;
  readonly #options: SeenTopicOptions;
  #figures: TopicFigures;

  constructor(upstream: Queue, options: SeenTopicOptions) {
    this.#upstream = upstream;
    this.#options = options;
    this.#figures = options.remembered ?? UNSEEN_TOPIC;
  }

  get figures(): TopicFigures {
    return this.#figures;
  }

  async learnWhenOpened(): Promise<void> {
    // Rejects only where it is closed before.
    await this.#upstream.opened().catch(() => undefined);
    this.learn();
  }

  learn(): void {
    const { partitions, appendBytesMax } = this.#upstream;
    if (partitions === 0) return;
    const isKnown = partitions === this.#figures.partitions && appendBytesMax === this.#figures.appendBytesMax;
    this.#figures = { partitions, appendBytesMax };
    if (!isKnown) this.#options.learned?.(this.#figures);
  }

  /** A partition that was chosen before the topic was reached may be one that it does not have. */
  present(partition: number): number {
    const { partitions } = this.#upstream;
    return partition < partitions || partitions === 0 ? partition : partition % partitions;
  }
}
