// Kafka, as far as Sluice sees it: topics of partitions that only grow, and one group. It outlives all processes. What
// was appended was appended, whatever the client hears of it.

import assert from 'node:assert/strict';
import { Group } from './group.ts';
import type { Faults } from '../faults.ts';
import type { Random } from '../machine/random.ts';
import type { SimTime } from '../machine/time.ts';
import type { Trace } from '../trace.ts';
import { protocolError } from './errors.ts';

interface StoredRecord {
  readonly offset: number;
  readonly timestampMs: number;
  readonly headers: Readonly<Record<string, Buffer>>;
  readonly value: Buffer;
}

export interface Topic {
  readonly partitions: readonly StoredRecord[][];
  /** As `max.message.bytes`. */
  readonly batchBytesMax: number;
}

export type Headers = StoredRecord['headers'];

export interface BrokerOptions {
  readonly time: SimTime;
  readonly random: Random;
  readonly faults: Faults;
  readonly trace: Trace;
  readonly topics: ReadonlyMap<string, Topic>;
  /** Called with every record, at once. */
  readonly appended: (topic: string, partition: number, record: StoredRecord) => void;
  /** Called with every offset that is taken, before it is. */
  readonly committed: (partition: number, offset: number, memberId: string, owner: string | undefined) => void;
}

const ORIGIN_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

export class Broker {
  readonly group: Group;
  readonly topics: ReadonlyMap<string, Topic>;
  isDown = false;
  readonly #lows = new Map<string, number>();
  readonly #options: BrokerOptions;
  readonly #waiters = new Set<() => void>();

  constructor(options: BrokerOptions) {
    this.#options = options;
    this.topics = options.topics;
    this.group = new Group(options.time, options.random.fork('group'), options.trace);
  }

  topic(name: string): Topic {
    const topic = this.topics.get(name);
    assert(topic, `there is a topic ${name}`);
    return topic;
  }

  /** The first offset of a partition that is still there. */
  low(name: string, partition: number): number {
    return this.#lows.get(`${name}/${partition}`) ?? 0;
  }

  /** Removes what lies before an offset. */
  remove(name: string, partition: number, before: number): void {
    this.#lows.set(`${name}/${partition}`, Math.max(before, this.low(name, partition)));
  }

  /** Throws what the brokers would answer. */
  append(name: string, partition: number, records: readonly { headers: Headers; value: Buffer }[]): void {
    const topic = this.topic(name);
    const log = topic.partitions[partition];
    assert(log, `there is a partition ${partition}`);
    let bytes = 61;
    for (const { headers, value } of records) {
      bytes += value.length + 20;
      for (const header in headers) bytes += header.length + (headers[header]?.length ?? 0) + 10;
    }
    if (bytes > topic.batchBytesMax) throw protocolError('MESSAGE_TOO_LARGE');
    for (const { headers, value } of records) {
      const timestampMs = Math.floor(ORIGIN_MS + this.#options.time.nowMs);
      const record = { offset: log.length, timestampMs, headers, value };
      log.push(record);
      this.#options.appended(name, partition, record);
    }
    for (const waiter of this.#waiters) waiter();
    this.#waiters.clear();
  }

  /** Called once, when something is appended. */
  whenAppended(action: () => void): Disposable {
    this.#waiters.add(action);
    return { [Symbol.dispose]: () => this.#waiters.delete(action) };
  }

  commit(
    memberId: string,
    generation: number,
    offsets: ReadonlyMap<number, number>,
    metadata: ReadonlyMap<number, string> = new Map(),
  ): void {
    this.group.commit(memberId, generation, offsets, (partition, offset) =>
      this.#options.committed(partition, offset, memberId, this.group.ownerOf(partition)),
    );
    for (const [partition, text] of metadata) this.group.metadata.set(partition, text);
  }
}
