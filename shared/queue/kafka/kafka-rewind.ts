// A range of a topic that is read once more. How far it has come is committed for a group of its own, as nobody's
// member; the records are read as `sluice cat` reads them (kafka-read.ts).

import type { Config } from '#shared/config/settings.ts';
import { SluiceError } from '#shared/errors.ts';
import type { FetchedRecord } from '../queue.ts';
import type { OffsetSpan, RewindPosition, RewindRange, RewindSource } from '../rewind-source.ts';
import { failureOf } from './broker/failure.ts';
import { withOwnBytes } from './broker/fetched-records.ts';
import { readPartitionOffsets } from './broker/group-offsets.ts';
import { readTopic } from './kafka-read.ts';
import { type Admin, createClient, type Kafka } from './kafkajs/client.ts';
import { brokerNames } from './kafkajs/connect-options.ts';
import { withAdmin } from './kafkajs/with-admin.ts';
import { encodeSnapshot } from './positions/log-position.ts';
import { commitStarts } from './setup.ts';

const silent = { debug: () => undefined };

export class KafkaRewind implements RewindSource {
  readonly #config: Config;
  readonly #kafka: Kafka;
  readonly #topic: string;
  /** What was found out when the range was located: positions are saved with it. */
  #topicId: string | null = null;
  readonly #ends = new Map<number, number>();
  /** By partition, where the range ends. */
  readonly #wanted = new Map<number, number>();

  constructor(config: Config) {
    this.#config = config;
    this.#kafka = createClient(config, silent);
    this.#topic = config['kafka.topic'];
  }

  locate({ fromMs, toMs, name }: { fromMs: number; toMs: number; name: string }): Promise<RewindRange[]> {
    return this.#ask(async (admin) => {
      const offsets = await readPartitionOffsets(admin, this.#groupOf(name), this.#topic);
      const starts = offsetsOf(await admin.fetchTopicOffsetsByTimestamp(this.#topic, Math.max(0, fromMs)));
      const ends = offsetsOf(await admin.fetchTopicOffsetsByTimestamp(this.#topic, Math.max(0, toMs)));
      this.#topicId = offsets[0]?.topicId ?? null;
      return offsets.map(({ partition, low, high, position, change }): RewindRange => {
        const first = Math.min(high, Math.max(low, starts.get(partition) ?? low));
        const end = Math.max(first, Math.min(high, ends.get(partition) ?? high));
        const isOther = change === 'topic_recreated' || change === 'log_truncated';
        const saved = position === null || isOther ? null : position;
        this.#ends.set(partition, high);
        this.#wanted.set(partition, end);
        return { partition, low, first, end, saved: saved && savedOf(saved.next, saved.snapshot?.tries) };
      });
    });
  }

  lows(): Promise<ReadonlyMap<number, number>> {
    return this.#ask(async (admin) => {
      const offsets = await admin.fetchTopicOffsets(this.#topic);
      for (const { partition, high } of offsets) this.#requireEnd(partition, Number(high));
      return new Map(offsets.map(({ partition, low }) => [partition, Number(low)]));
    });
  }

  async *read(spans: ReadonlyMap<number, OffsetSpan>, signal: AbortSignal): AsyncGenerator<FetchedRecord, void, void> {
    if (spans.size === 0) return;
    const records = readTopic({
      kafka: this.#kafka,
      topic: this.#topic,
      group: this.#config['kafka.group'],
      fromMs: undefined,
      toMs: undefined,
      signal,
      ranges: spans,
      withAdmin: (work) => withAdmin(this.#kafka, work),
    });
    for await (const record of records) yield* withOwnBytes([record]);
  }

  async save(name: string, positions: ReadonlyMap<number, RewindPosition>): Promise<void> {
    const partitions = Array.from(positions, ([partition, { next, tries }]) => {
      const end = Math.max(next, this.#ends.get(partition) ?? next);
      return {
        partition,
        offset: String(next),
        metadata: encodeSnapshot({ topicId: this.#topicId, epoch: null, end, tries }),
      };
    });
    if (partitions.length === 0) return;
    try {
      await commitStarts({ ...this.#config, 'kafka.group': this.#groupOf(name) }, silent, partitions);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  forget(name: string): Promise<void> {
    return this.#ask(async (admin) => {
      await admin.deleteGroups([this.#groupOf(name)]);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  /** A log that ends before what is to be read was made anew, or cut: a reader would wait for it for ever. */
  #requireEnd(partition: number, high: number): void {
    if (high >= (this.#wanted.get(partition) ?? 0)) return;
    throw new SluiceError(
      'queue_refused',
      `Cannot read ${this.#topic} on: partition ${partition} ends at ${high} by now, before what was to be read; its ` +
        'records were removed or the topic made anew. Start it again to read what there is',
    );
  }

  #groupOf(name: string): string {
    return `${this.#config['kafka.group']}-${name}`;
  }

  async #ask<T>(work: (admin: Admin) => Promise<T>): Promise<T> {
    try {
      return await withAdmin(this.#kafka, work);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  #failure(error: unknown): SluiceError {
    if (error instanceof SluiceError) return error;
    const { code, reason } = failureOf(error);
    const brokers = brokerNames(this.#config).join(', ');
    return new SluiceError(code, `Cannot read ${this.#topic} from ${brokers}: ${reason}`, { cause: error });
  }
}

function savedOf(next: number, tries = 0): RewindPosition {
  return { next, tries };
}

function offsetsOf(found: readonly { readonly partition: number; readonly offset: string }[]): Map<number, number> {
  return new Map(found.map(({ partition, offset }) => [partition, Number(offset)]));
}
