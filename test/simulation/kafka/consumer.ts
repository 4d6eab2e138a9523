// kafkajs's consumer: joins, syncs, fetches, hands batches to `eachBatch` one by one, and joins again when a heartbeat
// says so. A commit is stamped with the generation of its keeper of offsets, whatever its records were fetched under.

import { EventEmitter } from 'node:events';
import type { EachBatchPayload } from '#shared/queue/kafka/kafkajs/client.ts';
import { type OffsetKeeper, offsetKeepers } from '#shared/queue/kafka/kafkajs/patches/offset-manager.ts';
import { protocolError, typeOf } from './errors.ts';
import { type FetchedPartition, Fetcher } from './fetcher.ts';
import type { Joined } from './group.ts';
import type { Link } from './link.ts';

interface ConsumerGiven {
  readonly groupId: string;
  readonly partitionAssigners: readonly ((config: never) => { protocol(given: { topics: string[] }): unknown })[];
  readonly sessionTimeout: number;
  readonly rebalanceTimeout: number;
  readonly heartbeatInterval: number;
}

interface TopicPartitions {
  readonly topic: string;
  readonly partitions?: readonly number[];
}

type EachBatch = (payload: EachBatchPayload) => Promise<void>;

const REBALANCING = new Set(['REBALANCE_IN_PROGRESS', 'ILLEGAL_GENERATION', 'NOT_COORDINATOR_FOR_GROUP']);
const RETRIES = 6;
const RETRY_FIRST_MS = 200;
const RETRY_MAX_MS = 2000;

export class SimConsumer {
  readonly events = {
    GROUP_JOIN: 'join',
    REBALANCING: 'rebalancing',
    CRASH: 'crash',
    END_BATCH_PROCESS: 'done',
  } as const;
  readonly #link: Link;
  readonly #given: ConsumerGiven;
  readonly #emitter = new EventEmitter();
  readonly #protocol: () => void;
  #topic = '';
  #eachBatch: EachBatch = () => Promise.resolve();
  #running = false;
  #ended: Promise<void> = Promise.resolve();
  #memberId = '';
  #generation = -1;
  #assigned: readonly number[] = [];
  readonly #fetcher: Fetcher;
  #keeper: OffsetKeeper | null = null;
  #heartbeatMs = 0;
  #leftOver: FetchedPartition[] = [];
  #wake: (() => void) | null = null;

  constructor(link: Link, given: ConsumerGiven) {
    this.#link = link;
    this.#fetcher = new Fetcher(link);
    this.#given = given;
    const [assigner] = given.partitionAssigners;
    const cluster = { findTopicPartitionMetadata: () => [] };
    const made = assigner?.({ cluster } as never);
    this.#protocol = () => made?.protocol({ topics: [this.#topic] });
  }

  on(event: string, listener: (event: unknown) => void): void {
    this.#emitter.on(event, listener);
  }

  async connect(): Promise<void> {
    await this.#link.request(() => null);
  }

  async subscribe({ topics }: { topics: string[] }): Promise<void> {
    this.#topic = topics[0] ?? '';
    await this.#link.request(() => null);
  }

  async run({ eachBatch }: { eachBatch: EachBatch }): Promise<void> {
    this.#eachBatch = eachBatch;
    try {
      await this.#joinAndSync();
    } catch (error) {
      return this.#crash(error);
    }
    this.#running = true;
    this.#ended = this.#consume();
  }

  pause(topicPartitions: readonly TopicPartitions[]): void {
    for (const { partitions = [] } of topicPartitions) this.#fetcher.pause(partitions);
  }

  resume(topicPartitions: readonly TopicPartitions[]): void {
    for (const { partitions = [] } of topicPartitions) this.#fetcher.resume(partitions);
    this.#wake?.();
  }

  seek({ partition, offset }: { partition: number; offset: string }): void {
    this.#fetcher.seek(partition, Number(offset));
    this.#wake?.();
  }

  async disconnect(): Promise<void> {
    this.#running = false;
    this.#wake?.();
    await this.#ended;
    await this.#leave();
  }

  async #leave(): Promise<void> {
    const memberId = this.#memberId;
    if (memberId === '') return;
    this.#memberId = '';
    await this.#link.request(() => this.#link.world.broker.group.leave(memberId)).catch(() => undefined);
  }

  async #crash(error: unknown): Promise<void> {
    this.#running = false;
    await this.#leave();
    this.#emitter.emit('crash', { payload: { error } });
  }

  async #consume(): Promise<void> {
    let failures = 0;
    while (this.#running) {
      try {
        await this.#round();
        failures = 0;
      } catch (error) {
        try {
          if (await this.#recover(error)) continue;
        } catch (again) {
          void this.#crash(again);
          return;
        }
        if (++failures > RETRIES) {
          void this.#crash(error);
          return;
        }
        await this.#link.process.sleep(Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** failures));
      }
    }
  }

  /** Whether the error is over with joining again. */
  async #recover(error: unknown): Promise<boolean> {
    const type = typeOf(error);
    if (REBALANCING.has(type)) {
      this.#emitter.emit('rebalancing', {});
      await this.#joinAndSync();
      return true;
    }
    if (type === 'UNKNOWN_MEMBER_ID') {
      this.#memberId = '';
      await this.#joinAndSync();
      return true;
    }
    return false;
  }

  async #joinAndSync(): Promise<void> {
    const { group } = this.#link.world.broker;
    const { sessionTimeout, rebalanceTimeout } = this.#given;
    for (let tries = 0; ; tries++) {
      try {
        this.#protocol();
        const joined = await this.#link.request(() => group.join(this.#memberId, sessionTimeout, rebalanceTimeout));
        this.#memberId = joined.memberId;
        const given = this.#give(joined);
        const mine = await this.#link.request(() => group.sync(joined.memberId, joined.generation, given));
        // Only now: kafkajs stamps commits with the generation of its last sync.
        this.#generation = joined.generation;
        this.#assigned = mine;
        break;
      } catch (error) {
        const type = typeOf(error);
        if (type === 'UNKNOWN_MEMBER_ID') this.#memberId = '';
        else if (!REBALANCING.has(type)) throw error;
        if (tries > RETRIES) throw error;
        await this.#link.process.sleep(RETRY_FIRST_MS * this.#link.world.random.next());
      }
    }
    this.#fetcher.forgetPositions();
    this.#heartbeatMs = this.#link.world.time.nowMs;
    const [memberId, generation] = [this.#memberId, this.#generation];
    this.#keeper = { commitOffsets: (offsets) => this.#commit(offsets, memberId, generation) };
    offsetKeepers.set(memberId, this.#keeper);
    this.#emitter.emit('join', { payload: { memberId, memberAssignment: { [this.#topic]: [...this.#assigned] } } });
  }

  /** What the leader gives to whom: round robin over the names. */
  #give({ isLeader, memberIds }: Joined): Map<number, string> {
    const given = new Map<number, string>();
    if (!isLeader) return given;
    const sorted = [...memberIds].sort();
    this.#link.world.broker.topic(this.#topic).partitions.forEach((_, partition) => {
      given.set(partition, sorted[partition % sorted.length] ?? '');
    });
    return given;
  }

  async #round(): Promise<void> {
    const { world, process } = this.#link;
    if (world.faults.strikes('consumer_crash', process.name)) throw new Error('a fault inside kafkajs');
    await this.#heartbeat();
    const fetched = [...this.#leftOver.splice(0), ...(await this.#fetch())];
    if (fetched.length === 0) {
      await this.#idle();
      return;
    }
    let failure: unknown = null;
    for (const part of fetched) {
      // As in kafkajs, the others of the fetch are handed over although a heartbeat between them has failed.
      if (failure !== null && world.faults.strikes('stale_batch', process.name)) this.#leftOver.push(part);
      else await this.#eachBatch(this.#payload(part));
      try {
        await this.#heartbeat();
      } catch (error) {
        failure ??= error;
      }
    }
    if (failure !== null) throw failure;
  }

  /** Waits for something to fetch, or for the next heartbeat. */
  async #idle(): Promise<void> {
    const { process, world } = this.#link;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    using _timer = process.later(this.#given.heartbeatInterval, resolve);
    using _append = world.broker.whenAppended(() => process.later(1, resolve));
    await promise;
    this.#wake = null;
  }

  #fetch(): Promise<FetchedPartition[]> {
    return this.#fetcher.fetch(this.#topic, this.#assigned, (partition) => this.#keeper?.outOfRange?.(partition));
  }

  #payload(part: FetchedPartition): EachBatchPayload {
    return this.#fetcher.payload(this.#topic, part, () => this.#heartbeat());
  }

  async #heartbeat(): Promise<void> {
    const { time, broker } = this.#link.world;
    if (this.#memberId === '' || time.nowMs < this.#heartbeatMs + this.#given.heartbeatInterval) return;
    const [memberId, generation] = [this.#memberId, this.#generation];
    await this.#link.request(() => broker.group.heartbeat(memberId, generation));
    this.#heartbeatMs = time.nowMs;
  }

  // kafkajs stamps a commit with the generation of the sync in which its keeper of offsets was made.
  async #commit({ topics }: CommitOffsets, memberId: string, generation: number): Promise<void> {
    const { world, process } = this.#link;
    const { broker, faults, random } = world;
    const offsets = new Map(topics[0]?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
    const metadata = new Map(topics[0]?.partitions.map(({ partition, metadata: text = '' }) => [partition, text]));
    if (faults.strikes('commit_failed', process.name)) {
      return this.#link.request(() => {
        throw protocolError('COORDINATOR_LOAD');
      });
    }
    if (faults.strikes('commit_answer_lost', process.name)) {
      void this.#link.request(() => broker.commit(memberId, generation, offsets, metadata)).catch(() => undefined);
      return this.#link.timeout();
    }
    const delayMs = faults.strikes('commit_delayed', process.name) ? random.between(50, 3000) : 0;
    return this.#link.request(() => broker.commit(memberId, generation, offsets, metadata), delayMs);
  }
}

interface CommitOffsets {
  readonly topics: readonly {
    readonly partitions: readonly { partition: number; offset: string; metadata?: string }[];
  }[];
}
