// What one tenant's flood does to another's acks: latency of a tenant that sends an event every few milliseconds, alone
// and beside a tenant that sends packed chunks as fast as they are acked, in alternating runs on the built forwarder.

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { encode } from '@msgpack/msgpack';
import { kafka } from '#test/backends/kafka.ts';
import { startUnderTest } from './parts/child-process.ts';

const execute = promisify(execFile);
const PAIRS = 3;
const SECONDS = 4;
const PAUSE_MS = 5;
const FLOOD_CONNECTIONS = 8;
/** Tells the tenants apart. */
const QUIET_ADDRESS = '127.0.0.2';
const TENANTS = `flood: { networks: [127.0.0.1] }\nquiet: { networks: [${QUIET_ADDRESS}] }\n`;

export async function run(): Promise<void> {
  const found = await kafka();
  if (!found) {
    console.log('tenants: skipped, there is no Kafka');
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  try {
    const file = join(folder, 'tenants.yaml');
    await writeFile(file, TENANTS);
    const topic = `bench.${randomBytes(4).toString('hex')}`;
    const env = {
      SLUICE_TENANTS: file,
      SLUICE_KAFKA_BROKERS: found.brokers.join(','),
      SLUICE_KAFKA_TOPIC: topic,
      SLUICE_KAFKA_DEAD_LETTER_TOPIC: `${topic}.dead`,
      SLUICE_KAFKA_GROUP: topic,
    };
    await execute(process.execPath, ['dist/sluice.js', 'setup'], { env: { ...process.env, ...env } });
    await measure(env);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(env: Record<string, string>): Promise<void> {
  await using sluice = await startUnderTest('forwarder', env);
  const alone: number[] = [];
  const beside: number[] = [];
  let flooded = 0;
  await probe(sluice.forwardPort, []);
  for (let pair = 0; pair < PAIRS; pair++) {
    await probe(sluice.forwardPort, alone);
    const flood = flooding(sluice.forwardPort);
    await delay(500);
    await probe(sluice.forwardPort, beside);
    flooded += await flood;
  }
  const perSecond = Math.round(flooded / PAIRS / (SECONDS + 1) / 1000);
  console.log(`tenants: acks of a quiet tenant, ${PAIRS} alternating runs of ${SECONDS} s`);
  console.log(`  alone: ${quantiles(alone)}`);
  console.log(`  beside a flood of ${perSecond} k events/s: ${quantiles(beside)}`);
}

/** Sends one event after another, each when the one before is acked and a little later. */
async function probe(port: number, latenciesMs: number[]): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: QUIET_ADDRESS, noDelay: true });
  const endMs = performance.now() + SECONDS * 1000;
  for (let n = 0; performance.now() < endMs; n++) {
    const sentMs = performance.now();
    socket.write(encode([`quiet.${n % 12}`, 1_700_000_000, { log: 'quiet' }, { chunk: String(n) }]));
    await new Promise((resolve, reject) => socket.once('data', resolve).once('error', reject));
    socket.removeAllListeners('error');
    latenciesMs.push(performance.now() - sentMs);
    await delay(PAUSE_MS);
  }
  socket.destroy();
}

/** Resolves to the events that were acked. */
async function flooding(port: number): Promise<number> {
  const sender = new URL('./parts/load-sender.ts', import.meta.url).pathname;
  const options = [sender, ...[port, 'packed', SECONDS + 1, FLOOD_CONNECTIONS].map(String)];
  const { stdout } = await execute(process.execPath, options);
  const { acked }: { acked: number } = JSON.parse(stdout);
  return acked;
}

function quantiles(latenciesMs: number[]): string {
  latenciesMs.sort((a, b) => a - b);
  const at = (q: number): string => (latenciesMs[Math.floor(latenciesMs.length * q)] ?? 0).toFixed(1);
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms (${latenciesMs.length} acks)`;
}
