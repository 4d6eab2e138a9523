// What kafkajs's consumer fetches: from its positions on, of partitions that are not paused. A seek counts from the
// next fetch on, and what was fetched before it is stale.

import type { EachBatchPayload } from '#shared/queue/kafka/kafkajs/client.ts';
import { connectionError } from './errors.ts';
import type { Link } from './link.ts';

export interface FetchedPartition {
  readonly partition: number;
  readonly from: number;
  readonly to: number;
  readonly end: number;
}

const RECORDS_MAX = 6;

export class Fetcher {
  readonly #link: Link;
  readonly #paused = new Set<number>();
  readonly #sought = new Map<number, number>();
  /** Next offsets to fetch, of partitions of which they are known. */
  #positions = new Map<number, number>();

  constructor(link: Link) {
    this.#link = link;
  }

  pause(partitions: readonly number[]): void {
    for (const partition of partitions) this.#paused.add(partition);
  }

  resume(partitions: readonly number[]): void {
    for (const partition of partitions) this.#paused.delete(partition);
  }

  seek(partition: number, offset: number): void {
    this.#sought.set(partition, offset);
  }

  /** Under a new assignment reading starts at what is committed. */
  forgetPositions(): void {
    this.#positions = new Map();
  }

  /**
   * Some records of each assigned partition that is not paused. `outOfRange`: the brokers have removed what is wanted.
   */
  async fetch(
    topic: string,
    assigned: readonly number[],
    outOfRange: (partition: number) => void,
  ): Promise<FetchedPartition[]> {
    const { world, process } = this.#link;
    const { broker, faults, random } = world;
    for (const [partition, offset] of this.#sought) this.#positions.set(partition, offset);
    this.#sought.clear();
    if (assigned.some((partition) => !this.#positions.has(partition))) {
      const committed = await this.#link.request(() => new Map(broker.group.committed));
      for (const partition of assigned)
        if (!this.#positions.has(partition)) this.#positions.set(partition, committed.get(partition) ?? 0);
    }
    const wanted = assigned.filter((partition) => !this.#paused.has(partition));
    if (wanted.length === 0) return [];
    if (faults.strikes('fetch_failed', process.name)) throw connectionError();
    const positions = wanted.map((partition) => [partition, this.#positions.get(partition) ?? 0] as const);
    const { partitions } = broker.topic(topic);
    const fetched = await this.#link.request(() => {
      const found: FetchedPartition[] = [];
      for (const [partition, from] of positions) {
        // The one that is out of range fails all of the fetch.
        if (from < broker.low(topic, partition)) return { outOfRange: partition };
        const end = partitions[partition]?.length ?? 0;
        const to = Math.min(end, from + random.integer(1, RECORDS_MAX));
        if (to > from) found.push({ partition, from, to, end });
      }
      return found;
    });
    if ('outOfRange' in fetched) {
      outOfRange(fetched.outOfRange);
      return [];
    }
    return fetched.filter(({ partition }) => !this.#paused.has(partition) && !this.#sought.has(partition));
  }

  payload(
    topic: string,
    { partition, from, to, end }: FetchedPartition,
    heartbeat: () => Promise<void>,
  ): EachBatchPayload {
    const log = this.#link.world.broker.topic(topic).partitions[partition] ?? [];
    const messages = log.slice(from, to).map(({ offset, timestampMs, headers, value }) => ({
      offset: String(offset),
      timestamp: String(timestampMs),
      headers,
      value,
    }));
    const { faults, random } = this.#link.world;
    const forged = faults.strikes('offset_forged', this.#link.process.name)
      ? messages[random.integer(0, messages.length - 1)]
      : undefined;
    if (forged !== undefined) forged.offset = String(Number(forged.offset) + 1_000_000);
    const payload = {
      batch: {
        topic,
        partition,
        messages,
        highWatermark: String(end),
        fetchedOffset: String(from),
        lastOffset: () => String(to - 1),
      },
      heartbeat,
      isStale: () => this.#sought.has(partition),
      resolveOffset: (offset: string) => this.#positions.set(partition, Number(offset) + 1),
    };
    return payload as unknown as EachBatchPayload;
  }
}
