// Forward → Kafka: what the built forwarder does per CPU-second at full load, its peak memory, and how long its senders wait for acks,
// at full and at half load. A forwarder of its own for each kind of load, so that peak memory is that load's.

import { kafka } from '#test/backends/kafka.ts';
import { kafkaConfig, removeTopics } from '#test/contract/queue-places.ts';
import { setupTopics } from '#shared/queue/kafka/setup.ts';
import { startUnderTest } from './child-process.ts';
import { ENTRY_BYTES } from './container-logs.ts';
import { figureLine } from './figures.ts';
import { load, type LoadOptions } from './load.ts';

const SECONDS = 4;

interface Load extends Omit<LoadOptions, 'rate' | 'seconds'> {
  readonly what: string;
  readonly halfToo: boolean;
}

// Eight connections with a chunk or two on the way, as flush threads of fluentd and fluent-bit have; and a node's containers.
const LOADS: readonly Load[] = [
  {
    what: 'Forward packed → Kafka',
    mode: 'packed',
    acks: true,
    connections: 8,
    window: 2,
    eventsPerFrame: 1000,
    halfToo: true,
  },
  {
    what: 'Forward gzip → Kafka',
    mode: 'gzip',
    acks: true,
    connections: 8,
    window: 2,
    eventsPerFrame: 1000,
    halfToo: false,
  },
  {
    what: 'Forward messages → Kafka',
    mode: 'message',
    acks: false,
    connections: 8,
    window: 1,
    eventsPerFrame: 200,
    halfToo: false,
  },
  {
    what: '1,000 connections, one-event acks → Kafka',
    mode: 'message',
    acks: true,
    connections: 1000,
    window: 1,
    eventsPerFrame: 1,
    halfToo: false,
  },
];

export async function run(): Promise<void> {
  const found = await kafka();
  if (!found) {
    console.log('skipped, there is no Kafka');
    return;
  }
  console.log(
    `the built forwarder, ${SECONDS} s each after warming up, entries of ${ENTRY_BYTES} bytes that zstd shrinks 8 times`,
  );
  const config = kafkaConfig(found.brokers, { SLUICE_KAFKA_PARTITIONS: '12' });
  await setupTopics(config);
  const env = {
    SLUICE_KAFKA_BROKERS: found.brokers.join(),
    SLUICE_KAFKA_TOPIC: config['kafka.topic'],
    SLUICE_KAFKA_DEAD_LETTER_TOPIC: config['kafka.dead_letter_topic'],
    SLUICE_KAFKA_GROUP: config['kafka.group'],
  };
  try {
    for (const one of LOADS) await measure(env, one);
  } finally {
    await removeTopics(config);
  }
}

async function measure(env: Record<string, string>, { what, halfToo, ...options }: Load): Promise<void> {
  await using sluice = await startUnderTest('forwarder', env);
  const full = await load(sluice, { ...options, seconds: SECONDS, rate: null });
  console.log(figureLine(what, full));
  if (!halfToo) return;
  const half = await load(sluice, { ...options, seconds: SECONDS, rate: full.events / full.seconds / 2 });
  console.log(figureLine(`${what}, half load`, half));
}

if (import.meta.main) await run();
