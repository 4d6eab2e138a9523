// Forward → Kafka, and all in one: events per CPU-second of the built program under load, its peak memory, and the
// senders' ack latency.

import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { kafka } from '#test/backends/kafka.ts';
import { cpuSecondsOf, startUnderTest } from './parts/child-process.ts';

const execute = promisify(execFile);
const SECONDS = 8;
/** The embedded store takes less than the embedded queue: what is sent in this time keeps it busy for long enough. */
const ALL_IN_ONE_SECONDS = 1;
/** As the sender makes them. */
const EVENTS_PER_CHUNK = 1500;
/** Without a further event for this long, nothing more is to come. */
const QUIET_MS = 3000;

interface Load {
  readonly title: string;
  readonly mode: 'packed' | 'gzip' | 'message' | 'single';
  readonly connections: number;
  readonly seconds: number;
  /** Chunks a second; absent: as many as are acked. */
  readonly rate?: number;
}

const loads: readonly Load[] = [
  { title: 'packed chunks with acks', mode: 'packed', connections: 4, seconds: SECONDS },
  { title: 'gzip chunks with acks', mode: 'gzip', connections: 4, seconds: SECONDS },
  { title: 'messages without acks', mode: 'message', connections: 4, seconds: SECONDS },
  { title: '1,000 connections with one-event acks', mode: 'single', connections: 1000, seconds: SECONDS },
];

interface Sent {
  readonly sent: number;
  readonly acked: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Resolves to the events that were acked a second. */
async function measure(command: string, env: Record<string, string>, { title, ...load }: Load): Promise<number> {
  await using sluice = await startUnderTest(command, env);
  const before = sluice.cpuSeconds();
  const { acked, sent, p50Ms, p99Ms } = await send(sluice.forwardPort, load);
  // What was sent without acks may still be on its way.
  const done = command === 'run' ? 'sluice_events_indexed_total' : 'sluice_events_produced_total';
  let events = 0;
  for (let quietMs = 0; events < sent && quietMs < QUIET_MS; quietMs += 100) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const seen = await sluice.counter(done);
    if (seen > events) quietMs = 0;
    events = seen;
  }
  const cpu = sluice.cpuSeconds() - before;
  const latency = acked > 0 ? `, acks p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms` : '';
  const lost = sent - events;
  console.log(
    `  ${title}: ${Math.round(events / cpu / 1000)} k events per CPU-second (${events} of ${sent} sent${lost === 0 ? '' : `, ${lost} MISSING`}), peak ${Math.round(sluice.peakMiB())} MiB${latency}`,
  );
  return acked / load.seconds;
}

async function send(port: number, { mode, connections, seconds, rate }: Omit<Load, 'title'>): Promise<Sent> {
  const sender = new URL('./parts/load-sender.ts', import.meta.url).pathname;
  const args = [port, mode, seconds, connections, ...(rate === undefined ? [] : [rate])];
  const { stdout } = await execute(process.execPath, [sender, ...args.map(String)]);
  return JSON.parse(stdout);
}

/**
 * What one-event acks cost a server that does nothing else; printed beside ours, since system calls cost differently on
 * each machine.
 */
async function measureFloor({ mode, connections, seconds }: Load): Promise<void> {
  const bare = spawn(process.execPath, [new URL('./parts/bare-answerer.ts', import.meta.url).pathname], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [port] = await once(bare.stdout, 'data');
    const before = cpuSecondsOf(bare.pid);
    const { sent } = await send(Number(port), { mode, connections, seconds });
    const perCpuSecond = sent / (cpuSecondsOf(bare.pid) - before);
    console.log(`    a bare server on Node that answers at once: ${Math.round(perCpuSecond / 1000)} k`);
  } finally {
    bare.kill();
  }
}

export async function run(): Promise<void> {
  const found = await kafka();
  if (!found) {
    console.log('forwarder: skipped, there is no Kafka');
  } else {
    console.log(`forwarder → Kafka (${found.how}), from the bundle, ${SECONDS} s each, entries of 320 bytes`);
    const topic = `bench.${randomBytes(4).toString('hex')}`;
    const env = {
      SLUICE_KAFKA_BROKERS: found.brokers.join(','),
      SLUICE_KAFKA_TOPIC: topic,
      SLUICE_KAFKA_DEAD_LETTER_TOPIC: `${topic}.dead`,
      SLUICE_KAFKA_GROUP: topic,
    };
    await execute(process.execPath, ['dist/sluice.js', 'setup'], { env: { ...process.env, ...env } });
    for (const load of loads) {
      const eventsPerSecond = await measure('forwarder', env, load);
      if (load.mode === 'packed') {
        const rate = eventsPerSecond / 2 / EVENTS_PER_CHUNK;
        const title = `the same at half of that load, ${Math.round(eventsPerSecond / 2000)} k/s`;
        await measure('forwarder', env, { ...load, title, rate });
      }
      if (load.mode === 'single') await measureFloor(load);
    }
  }
  console.log('all in one, embedded queue and store');
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  try {
    await measure(
      'run',
      { SLUICE_DATA_DIR: folder },
      { title: 'packed chunks with acks', mode: 'packed', connections: 2, seconds: ALL_IN_ONE_SECONDS },
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
