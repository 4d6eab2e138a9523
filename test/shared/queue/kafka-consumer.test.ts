// What the consumer does when the coordinator of its group is gone and kafkajs does not notice: with a client of kafkajs that is not one.

import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { suite, test } from 'node:test';
import { KafkaConsumer } from '#shared/queue/kafka/kafka-consumer.ts';
import type { Admin, Consumer, EachBatchPayload, Kafka } from '#shared/queue/kafka/kafkajs.ts';
import { RecordingHandler } from '#test/contract/recording-handler.ts';
import { VirtualClock } from '#test/memory/clock.ts';

const topic = 'logs';

/** A client as kafkajs makes it, told by the test what it hears. */
class Client extends EventEmitter {
  readonly events = { GROUP_JOIN: 'join', REBALANCING: 'rebalancing', CRASH: 'crash' };
  /** It says good-bye to a coordinator that does not answer. */
  readonly hangsUp = Promise.withResolvers<void>();
  commits = 0;
  #eachBatch: (payload: EachBatchPayload) => Promise<void> = () => Promise.resolve();

  connect(): Promise<void> {
    return Promise.resolve();
  }

  subscribe(): Promise<void> {
    return Promise.resolve();
  }

  run({ eachBatch }: { eachBatch: (payload: EachBatchPayload) => Promise<void> }): Promise<void> {
    this.#eachBatch = eachBatch;
    return Promise.resolve();
  }

  resume(): void {
    // Nothing is paused.
  }

  disconnect(): Promise<void> {
    return this.hangsUp.promise;
  }

  join(): void {
    this.emit('join', { payload: { memberAssignment: { [topic]: [0] } } });
  }

  /** Hands over one record, whose commits go as the test says. */
  fetch(offset: number, commit: () => Promise<void>): Promise<void> {
    const message = { offset: String(offset), timestamp: '0', value: Buffer.from('x'), headers: {} };
    const batch = { partition: 0, messages: [message], highWatermark: '10', lastOffset: () => message.offset };
    const payload = {
      batch,
      resolveOffset: () => undefined,
      heartbeat: () => Promise.resolve(),
      commitOffsetsIfNecessary: () => {
        this.commits++;
        return commit();
      },
    };
    return this.#eachBatch(payload as unknown as EachBatchPayload);
  }
}

class World implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly handler = new RecordingHandler();
  readonly clients: Client[] = [];
  readonly consumer: KafkaConsumer;

  constructor() {
    const consumer = (): Consumer => {
      const client = new Client();
      this.clients.push(client);
      return client as unknown as Consumer;
    };
    const admin = {
      fetchTopicOffsets: () => Promise.resolve([{ partition: 0, low: '0', high: '10' }]),
      fetchOffsets: () => Promise.resolve([{ topic, partitions: [{ partition: 0, offset: '0' }] }]),
    } as unknown as Admin;
    this.consumer = new KafkaConsumer(
      {
        kafka: { consumer } as unknown as Kafka,
        topic,
        clock: this.clock,
        withAdmin: (work) => work(admin),
        warn: () => undefined,
      },
      this.handler,
      { group: 'g', fetchBytesMax: 1 },
    );
  }

  /** The n-th client, which has joined and fetched a record. */
  async joined(n: number, commit: () => Promise<void>): Promise<Client> {
    await this.clock.settle();
    const client = this.clients[n];
    assert.ok(client, `client ${n} was made`);
    client.join();
    await this.clock.settle();
    await client.fetch(0, commit);
    return client;
  }

  commit(): Promise<unknown> {
    return this.consumer.commit(this.handler.assignment, new Map([[0, 1]])).catch((error: unknown) => error);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.clients) client.hangsUp.resolve();
    await this.consumer[Symbol.asyncDispose]();
  }
}

suite('a coordinator that does not answer', () => {
  const noAnswer =
    (world: World): (() => Promise<void>) =>
    async () => {
      await world.clock.sleep(15_000);
      throw Object.assign(new Error('timed out'), { name: 'KafkaJSConnectionClosedError' });
    };

  test('is left, by a new client, although the old one never ends', async () => {
    await using world = new World();
    const old = await world.joined(0, noAnswer(world));
    const committed = world.commit();
    await world.clock.advance(15_000);
    assert.deepEqual(world.handler.revocations, [1], 'what was fetched under the old client is void');
    assert.match(String(await world.clock.until(committed)), /no longer held/);
    await world.clock.advance(10_000);
    const young = await world.joined(1, () => Promise.resolve());
    assert.equal(world.handler.assignment, 2);
    assert.equal(await world.commit(), undefined);
    assert.equal(young.commits, 1);

    old.join();
    old.emit('rebalancing');
    old.emit('crash', { payload: { error: new Error('late') } });
    await old.fetch(5, () => Promise.resolve());
    await world.clock.advance(10_000);
    assert.deepEqual(world.handler.revocations, [1], 'what the old client says late is not about the new one');
    assert.equal(world.handler.batches.length, 2);
    assert.equal(world.clients.length, 2);
  });

  test('is kept while commits fail for a moment only', async () => {
    await using world = new World();
    let refusals = 6;
    await world.joined(0, async () => {
      await world.clock.sleep(1000);
      if (refusals-- > 0) throw Object.assign(new Error('refused'), { name: 'KafkaJSConnectionError' });
    });
    const first = world.commit();
    assert.match(String(await world.clock.until(first)), /refused/, 'four tries');
    const second = world.commit();
    assert.equal(await world.clock.until(second), undefined);
    assert.equal(world.clients.length, 1);
    assert.deepEqual(world.handler.revocations, []);
  });
});
