// Both queues: appends per second and CPU for records of one event and for full records, and reading them again.
// Kafka takes part where test/backends has one. CPU is that of this process, its worker threads included.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '#shared/clock.ts';
import { openEmbeddedQueue } from '#shared/queue/embedded/embedded-queue.ts';
import { silentQueueObserver } from '#shared/queue/queue-observer.ts';
import { openKafkaQueue } from '#shared/queue/kafka/kafka-queue.ts';
import { setupTopics } from '#shared/queue/kafka/setup.ts';
import type { ConsumerHandler, Queue } from '#shared/queue/queue.ts';
import type { QueueRecord } from '#shared/record/record.ts';
import { kafka } from '#test/backends/kafka.ts';
import { kafkaConfig, removeTopics } from '#test/contract/queue-places.ts';

const KIB = 1024;
const RUNS = [
  { what: '1 event a record', bytes: 320, appends: 20_000, atOnce: 200 },
  { what: '1 event a record, one at a time', bytes: 320, appends: 300, atOnce: 1 },
  { what: '500 KiB records', bytes: 500 * KIB, appends: 400, atOnce: 4 },
] as const;

/** Prints a table; takes some seconds. */
export async function run(): Promise<void> {
  console.log('queue                                             appends/s   MiB/s   µs CPU/append   p50 ms   p99 ms');
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  const limits = { bytesMax: 4 * 1024 ** 3, retentionMs: 3_600_000 };
  {
    await using queue = await openEmbeddedQueue({
      dataDir,
      ...limits,
      readOnly: false,
      clock: systemClock,
      warn: console.warn,
    });
    await measure(queue, 'bench');
  }
  await rm(dataDir, { recursive: true });

  const found = await kafka();
  if (found === null) return console.log('kafka: skipped, there is none');
  const config = kafkaConfig(found.brokers, { SLUICE_KAFKA_PARTITIONS: '12' });
  await setupTopics(config);
  {
    await using queue = openKafkaQueue(config, {
      clock: systemClock,
      observer: silentQueueObserver,
      debug: () => undefined,
    });
    await queue.opened();
    await measure(queue, config['kafka.group']);
  }
  await removeTopics(config);
}

async function measure(queue: Queue, group: string): Promise<void> {
  let appended = 0;
  let bytes = 0;
  for (const shape of RUNS) {
    const latencies: number[] = [];
    const atOnce = queue.kind === 'kafka' ? Math.min(shape.atOnce, queue.partitions) : shape.atOnce;
    const start = mark();
    let left: number = shape.appends;
    const lane = async (partition: number): Promise<void> => {
      const record = recordOf(shape.bytes);
      while (left-- > 0) {
        const beganMs = performance.now();
        await queue.append(partition, [record]);
        latencies.push(performance.now() - beganMs);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, (_, i) => lane(i % queue.partitions)));
    print(
      queue.kind,
      `${shape.what}, ${atOnce} in flight`,
      shape.appends,
      shape.appends * shape.bytes,
      start,
      latencies,
    );
    appended += shape.appends;
    bytes += shape.appends * shape.bytes;
  }
  const start = mark();
  await consumeAll(queue, group, appended);
  print(queue.kind, 'consume all of that', appended, bytes, start, []);
}

async function consumeAll(queue: Queue, group: string, count: number): Promise<void> {
  const done = Promise.withResolvers<void>();
  let seen = 0;
  const handler: ConsumerHandler = {
    assigned: () => undefined,
    revoked: () => undefined,
    fetched({ records }) {
      seen += records.length;
      if (seen >= count) done.resolve();
    },
    failed: done.reject,
  };
  await using _consumer = await queue.consume(handler, { group, fetchBytesMax: 1024 * KIB });
  await done.promise;
}

interface Mark {
  readonly ms: number;
  readonly cpu: NodeJS.CpuUsage;
}

function mark(): Mark {
  return { ms: performance.now(), cpu: process.cpuUsage() };
}

function print(kind: string, what: string, count: number, bytes: number, start: Mark, latencies: number[]): void {
  const seconds = (performance.now() - start.ms) / 1000;
  const { user, system } = process.cpuUsage(start.cpu);
  latencies.sort((a, b) => a - b);
  const percentile = (share: number): string => latencies[Math.floor(latencies.length * share)]?.toFixed(1) ?? '';
  console.log(
    [
      `${kind}: ${what}`.padEnd(48),
      Math.round(count / seconds)
        .toString()
        .padStart(11),
      (bytes / seconds / KIB / KIB).toFixed(1).padStart(7),
      ((user + system) / count).toFixed(0).padStart(15),
      percentile(0.5).padStart(8),
      percentile(0.99).padStart(8),
    ].join(' '),
  );
}

function recordOf(bytes: number): QueueRecord {
  return { encoding: 'zstd', batches: Buffer.alloc(90, 1), value: Buffer.alloc(bytes, 7) };
}
