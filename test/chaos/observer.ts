// Looks at the system while it runs: the counters of its processes, the lag of the indexers' group, and whether all
// replicas are in sync. It looks by Sluice's own client for Kafka, with patience: while faults are at work an answer
// may be missing.

import { setTimeout as delay } from 'node:timers/promises';
import { readPartitionOffsets } from '#shared/queue/kafka/broker/group-offsets.ts';
import { type Admin, createClient } from '#shared/queue/kafka/kafkajs/client.ts';
import { readTopicShape } from '#shared/queue/kafka/broker/topic-facts.ts';
import { population } from './schedule.ts';
import type { World } from './world.ts';

const scrapeEveryMs = 1000;
const requestTimeoutMs = 5000;

export class Observer implements AsyncDisposable {
  readonly #world: World;
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;
  #imbalances: string[] = [];

  constructor(world: World) {
    this.#world = world;
    this.#loop = this.#run();
  }

  /** Ledgers that did not close, as they were seen: "indexer-1: 5". */
  get imbalances(): readonly string[] {
    return this.#imbalances;
  }

  /** Reads every process once. */
  async scrape(): Promise<void> {
    await Promise.all(this.#world.members.map((member) => member.scrape()));
    for (const member of this.#world.members) {
      const imbalance = member.now('ledger_imbalance');
      if (imbalance !== 0) this.#imbalances.push(`${member.name}: ${imbalance}`);
    }
  }

  /** Sum of a counter over all processes and their lives. */
  total(metric: string): number {
    return this.#world.members.reduce((sum, member) => sum + member.total(metric), 0);
  }

  /** Sum of a gauge over all processes. */
  now(metric: string): number {
    return this.#world.members.reduce((sum, member) => sum + member.now(metric), 0);
  }

  /** Records that are not committed; null while the brokers do not tell. */
  lag(): Promise<number | null> {
    const { 'kafka.group': group, 'kafka.topic': topic } = this.#world.config;
    return this.#asking(async (admin) => {
      const offsets = await readPartitionOffsets(admin, group, topic);
      return offsets.reduce((sum, { high, next }) => sum + (high - next), 0);
    });
  }

  /** Whether every partition has all its replicas in sync, so that another broker may go. */
  async replicasInSync(): Promise<boolean> {
    const shape = await this.#asking((admin) => readTopicShape(admin, this.#world.config['kafka.topic']));
    return shape !== null && shape.inSync === population.broker;
  }

  async #asking<T>(question: (admin: Admin) => Promise<T>): Promise<T | null> {
    const admin = createClient(this.#world.config, { requestTimeoutMs, debug: () => undefined }).admin();
    try {
      await admin.connect();
      return await question(admin);
    } catch {
      return null;
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await this.scrape();
      await delay(scrapeEveryMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }
}
