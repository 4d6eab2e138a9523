// From nothing to the first indexed batch: the Lambda function through the Runtime API, and the built `sluice indexer
// --drain` as a container runs it; a new process each time. And the memory of an indexer that has nothing to do.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { encode } from '@msgpack/msgpack';
import { systemClock } from '#shared/clock.ts';
import { openKafkaQueue } from '#shared/queue/kafka/kafka-queue.ts';
import { silentQueueObserver } from '#shared/queue/queue-observer.ts';
import { setupTopics } from '#shared/queue/kafka/setup.ts';
import { encodeBatches } from '#shared/record/record.ts';
import { elasticsearch } from '#test/backends/elasticsearch.ts';
import { kafka } from '#test/backends/kafka.ts';
import { kafkaConfig, removeTopics } from '#test/contract/queue-places.ts';
import { RefusingProxy } from '#test/integration/parts/refusing-proxy.ts';
import { kafkaEvent, kafkaRecord } from '#test/lambda/kafka-events.ts';
import { LocalRuntime } from '#test/lambda/local-runtime.ts';
import { startUnderTest } from './parts/child-process.ts';
import { median } from './parts/median.ts';

const ROUNDS = 7;
const EVENTS = 100;
/** After this long nothing of the start is left to collect. */
const IDLE_MS = 10_000;

export async function run(): Promise<void> {
  const store = await elasticsearch();
  if (!store?.url) {
    console.log('cold-start: skipped, there is no Elasticsearch');
    return;
  }
  await ofFunction(store);
  const broker = await kafka();
  if (!broker) {
    console.log('cold-start of the drain job: skipped, there is no Kafka');
    return;
  }
  await ofDrainJob(broker.brokers, store.url);
}

async function ofFunction({ url, how }: { url: string; how: string }): Promise<void> {
  console.log(
    `cold start of the Lambda indexer → Elasticsearch (${how}), ${ROUNDS} new instances, ${EVENTS} events in the first call`,
  );
  const tag = `bench.${randomBytes(4).toString('hex')}`;
  const totals: number[] = [];
  const firsts: number[] = [];
  const seconds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const event = async (offset: number) =>
      kafkaEvent([
        await kafkaRecord({
          offset,
          tag,
          events: Array.from({ length: EVENTS }, (_, n) => ({ message: `event ${n}` })),
        }),
      ]);
    const [first, second] = [await event(2 * round), await event(2 * round + 1)];
    const began = performance.now();
    await using runtime = await new LocalRuntime().start({
      SLUICE_ELASTICSEARCH_URL: url,
      SLUICE_LAMBDA_REPORT_ITEM_FAILURES: 'true',
      SLUICE_LOG_LEVEL: 'error',
    });
    await runtime.invoke(first);
    totals.push(performance.now() - began);
    const warm = performance.now();
    await runtime.invoke(second);
    seconds.push(performance.now() - warm);
    const told = runtime.stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { Duration: number }).Duration);
    firsts.push(told[0] ?? Number.NaN);
  }
  console.log(
    `  process start to first answer: ${medianMs(totals)} ms; of it the first call, with connecting and the first bulk: ${medianMs(firsts)} ms`,
  );
  console.log(`  a call to the warm instance: ${medianMs(seconds)} ms`);
}

async function ofDrainJob(brokers: readonly string[], url: string): Promise<void> {
  // In between, so that the moment of the first answer is seen.
  await using store = await RefusingProxy.start(url);
  const env = { SLUICE_ELASTICSEARCH_URL: store.url };
  const config = kafkaConfig(brokers, env);
  const environment = {
    ...env,
    SLUICE_KAFKA_BROKERS: brokers.join(),
    SLUICE_KAFKA_TOPIC: config['kafka.topic'],
    SLUICE_KAFKA_DEAD_LETTER_TOPIC: config['kafka.dead_letter_topic'],
    SLUICE_KAFKA_GROUP: config['kafka.group'],
  };
  await using cleanUp = new AsyncDisposableStack();
  cleanUp.defer(() => removeTopics(config));
  await setupTopics(config);
  const queue = cleanUp.use(
    openKafkaQueue(config, { clock: systemClock, observer: silentQueueObserver, debug: () => undefined }),
  );
  await queue.opened();

  console.log(`cold start of sluice indexer --drain, ${ROUNDS} new processes, ${EVENTS} events`);
  const drains: Drain[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await queue.append(0, [oneRecord()]);
    drains.push(await drainOnce(environment, store));
  }
  const part = (of: (drain: Drain) => number): number => medianMs(drains.map(of));
  console.log(
    `  process start to first indexed batch: ${part(({ firstBulk }) => firstBulk)} ms: load ${part(({ loaded }) => loaded)}, ` +
      `connect and join ${part(({ joined, loaded }) => joined - loaded)} (the broker's group.initial.rebalance.delay.ms among it), ` +
      `fetch and first bulk ${part(({ firstBulk, joined }) => firstBulk - joined)}`,
  );
  console.log(`  to its end, committed and out of the group: ${part(({ ended }) => ended)} ms`);

  await using idle = await startUnderTest('indexer', environment);
  await systemClock.sleep(IDLE_MS);
  console.log(`  memory of sluice indexer with nothing to do: ${Math.round(idle.residentMiB())} MiB`);
}

/** Milliseconds since the start of the process. */
interface Drain {
  readonly loaded: number;
  readonly joined: number;
  readonly firstBulk: number;
  readonly ended: number;
}

async function drainOnce(environment: Record<string, string>, store: RefusingProxy): Promise<Drain> {
  const began = performance.now();
  const sinceStart = (): number => performance.now() - began;
  const firstBulk = store.nextBulk().then(sinceStart);
  const child = spawn(process.execPath, ['dist/sluice.js', 'indexer', '--drain'], {
    env: { ...process.env, ...environment, SLUICE_LOG_LEVEL: 'info' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit').then(sinceStart);
  const seen = new Map<string, number>();
  for await (const line of createInterface(child.stderr)) {
    const { event }: { event: string } = JSON.parse(line);
    seen.set(event, sinceStart());
  }
  const ended = await exited;
  if (child.exitCode !== 0) throw new Error(`the drain job exited with ${child.exitCode}`);
  return {
    loaded: seen.get('indexer_started') ?? Number.NaN,
    joined: seen.get('partitions_assigned') ?? Number.NaN,
    firstBulk: await firstBulk,
    ended,
  };
}

function oneRecord() {
  const seconds = Math.floor(Date.now() / 1000);
  const entries = Array.from({ length: EVENTS }, (_, n) => encode([seconds, { message: `event ${n}` }]));
  const batches = encodeBatches([
    {
      id: randomBytes(16),
      first: 0,
      count: EVENTS,
      tag: 'bench.cold',
      input: 'forward',
      tenant: null,
      receivedMs: Date.now(),
      seq: 1,
      sender: 'bench',
      version: 2,
      chain: null,
    },
  ]);
  return { encoding: 'identity', batches, value: Buffer.concat(entries) } as const;
}

function medianMs(values: readonly number[]): number {
  return Math.round(median(values));
}
