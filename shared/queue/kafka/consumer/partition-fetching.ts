// Which partitions of an assignment the client fetches, and from where. A partition rests while its owner has paused
// it, while a check of its log is under way, or after something was fetched that cannot be believed.

import type { Clock } from '#shared/clock.ts';
import type { Consumer } from '../kafkajs/client.ts';
import type { MemberAssignments } from '../positions/assignments.ts';
import { RefusedFetches } from './refused-fetches.ts';

export interface PartitionFetchingOptions {
  readonly topic: string;
  readonly clock: Clock;
  readonly assignments: MemberAssignments;
  /** The present client; null while there is none. */
  readonly client: () => Consumer | null;
}

interface TopicPartitions {
  readonly topic: string;
  readonly partitions: number[];
}

export class PartitionFetching {
  readonly #options: PartitionFetchingOptions;
  /** What the owner has paused. */
  readonly #paused = new Set<number>();
  readonly #refused: RefusedFetches;

  constructor(options: PartitionFetchingOptions) {
    this.#options = options;
    this.#refused = new RefusedFetches(options.clock);
  }

  /** The owner wants no more of these partitions. */
  pause(partitions: readonly number[]): void {
    for (const partition of partitions) this.#paused.add(partition);
    this.#withAssigned(partitions, (client, mine) => client.pause([mine]));
  }

  resume(partitions: readonly number[]): void {
    for (const partition of partitions) this.#paused.delete(partition);
    const free = partitions.filter((partition) => !this.#refused.isWaiting(partition));
    this.#withAssigned(free, (client, mine) => client.resume([mine]));
  }

  /** A new assignment: nothing is fetched before `goOn`. */
  start(partitions: readonly number[]): void {
    this.#paused.clear();
    if (partitions.length > 0) this.stop(...partitions);
  }

  /** The assignment is over. */
  end(): void {
    this.#refused.clear();
  }

  stop(...partitions: number[]): void {
    this.#options.client()?.pause([{ topic: this.#options.topic, partitions }]);
  }

  seek(partition: number, offset: number | string): void {
    this.#options.client()?.seek({ topic: this.#options.topic, partition, offset: String(offset) });
  }

  /** Fetches from `next` on, unless the partition has to rest. */
  goOn(partition: number, next: number): void {
    this.seek(partition, next);
    const rests = this.#paused.has(partition) || this.#refused.isWaiting(partition);
    if (!rests) this.#options.client()?.resume([{ topic: this.#options.topic, partitions: [partition] }]);
  }

  /** Nothing of what was fetched can be believed: it is fetched again after a pause. Returns how often in a row. */
  refuse(partition: number, nextOf: () => number): number {
    this.#withAssigned([partition], (client, mine) => client.pause([mine]));
    return this.#refused.refuse(partition, () => this.goOn(partition, nextOf()));
  }

  /** Something of the partition was taken. */
  taken(partition: number): void {
    this.#refused.taken(partition);
  }

  #withAssigned(partitions: readonly number[], action: (client: Consumer, mine: TopicPartitions) => void): void {
    const { current } = this.#options.assignments;
    const client = this.#options.client();
    if (client === null || current === null) return;
    const mine = partitions.filter((partition) => current.partitions.includes(partition));
    if (mine.length > 0) action(client, { topic: this.#options.topic, partitions: mine });
  }
}
