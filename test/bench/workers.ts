// Two workers against one, forwarder and indexer: events per CPU-second of all their processes together, and how the
// work is shared.

import { execFile, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { loadConfig } from '#shared/config/load.ts';
import { kafka } from '#test/backends/kafka.ts';
import { removeTopics } from '#test/contract/queue-places.ts';
import { median } from './parts/median.ts';
import { type ProcessUnderTest, startUnderTest } from './parts/child-process.ts';

const execute = promisify(execFile);
const SECONDS = 5;
/** Each has a tag, and so a partition, of its own. */
const CONNECTIONS = 32;
const LOOK_MS = 50;
const RUNS = 3;
/**
 * Two thirds of what one forwarder takes on two cores: at full load the processes would fight with the sender and Kafka
 * for the cores.
 */
const CHUNKS_PER_SECOND = 250;

type Environment = Record<string, string>;

export async function run(): Promise<void> {
  const found = await kafka();
  if (!found) {
    console.log('workers: skipped, there is no Kafka');
    return;
  }
  console.log(`workers, from the bundle, Kafka (${found.how}); events per CPU-second of all processes of a service`);
  const topic = `bench.${randomBytes(4).toString('hex')}`;
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  const counting = fork(new URL('./parts/counting-bulk.ts', import.meta.url));
  const [told]: { port?: number }[] = await once(counting, 'message');
  const env = {
    SLUICE_KAFKA_BROKERS: found.brokers.join(','),
    SLUICE_KAFKA_TOPIC: topic,
    SLUICE_KAFKA_DEAD_LETTER_TOPIC: `${topic}.dead`,
    SLUICE_ELASTICSEARCH_URL: `http://127.0.0.1:${told?.port}`,
    SLUICE_DATA_DIR: dataDir,
  };
  try {
    await execute(process.execPath, ['dist/sluice.js', 'setup'], {
      env: { ...process.env, ...env, SLUICE_STORE: 'embedded' },
    });
    const seen: Record<string, number[]> = {};
    for (let run = 0; run < RUNS; run++) {
      for (const workers of [1, 2]) {
        const figures = await measure({ ...env, SLUICE_KAFKA_GROUP: topic }, workers);
        for (const [name, perCpuSecond] of Object.entries(figures))
          (seen[`${name} ${workers}`] ??= []).push(perCpuSecond);
      }
    }
    for (const name of ['forwarder', 'indexer']) {
      const [one, two] = [1, 2].map((workers) => median(seen[`${name} ${workers}`] ?? []));
      console.log(
        `  ${name}: two workers have ${((two ?? 0) / (one ?? 1)).toFixed(2)} of one's (medians of ${RUNS} alternating runs)`,
      );
    }
  } finally {
    counting.disconnect();
    await removeTopics(loadConfig({ env, readFile: () => '' }));
    await rm(dataDir, { recursive: true, force: true });
  }
}

/**
 * Resolves to events per CPU-second. The indexer is there before the load, so that all its workers are members of the
 * group when the first event comes.
 */
async function measure(env: Environment, workers: number): Promise<{ forwarder: number; indexer: number }> {
  await using indexer = await startUnderTest('indexer', { ...env, SLUICE_WORKERS: String(workers) });
  const before = await indexer.counter('process_cpu_seconds_total');
  const { events: sent, perCpuSecond } = await forward(env, workers);
  let events = 0;
  while (events < sent) {
    await delay(LOOK_MS);
    events = await indexer.counter('sluice_events_indexed_total');
  }
  const cpuSeconds = (await indexer.counter('process_cpu_seconds_total')) - before;
  await tell('indexer', indexer, { workers, events, cpuSeconds });
  return { forwarder: perCpuSecond, indexer: events / cpuSeconds };
}

/** Resolves to the events that Kafka has taken, and those per CPU-second. */
async function forward(env: Environment, workers: number): Promise<{ events: number; perCpuSecond: number }> {
  await using service = await startUnderTest('forwarder', { ...env, SLUICE_WORKERS: String(workers) });
  const before = await service.counter('process_cpu_seconds_total');
  const sender = new URL('./parts/load-sender.ts', import.meta.url).pathname;
  await execute(process.execPath, [
    sender,
    ...[service.forwardPort, 'packed', SECONDS, CONNECTIONS, CHUNKS_PER_SECOND].map(String),
  ]);
  const events = await service.counter('sluice_events_produced_total');
  const cpuSeconds = (await service.counter('process_cpu_seconds_total')) - before;
  await tell('forwarder', service, { workers, events, cpuSeconds });
  return { events, perCpuSecond: events / cpuSeconds };
}

interface Figures {
  readonly workers: number;
  readonly events: number;
  readonly cpuSeconds: number;
}

async function tell(name: string, service: ProcessUnderTest, { workers, events, cpuSeconds }: Figures): Promise<void> {
  const shares: string[] = [];
  for (let worker = 1; worker <= workers; worker++) {
    const taken = await service.counter(`sluice_worker_events{worker="${worker}"}`);
    shares.push(`${Math.round(taken / 1000)} k`);
  }
  const shared = workers === 1 ? '' : `, shared ${shares.join(' / ')}`;
  console.log(
    `  ${name}, ${workers}: ${Math.round(events / cpuSeconds / 1000)} k (${events} events, ${cpuSeconds.toFixed(1)} CPU-seconds)${shared}`,
  );
}
