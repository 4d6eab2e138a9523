// 500 senders with and without a crowd of 4,500 around them that do no good (test/clients/crowd.ts): acked events per
// second of the built forwarder, in alternating runs, and its peak memory. It should keep three quarters at least.

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { kafka } from '#test/backends/kafka.ts';
import { Crowd } from '#test/clients/crowd.ts';
import { type ProcessUnderTest, startUnderTest } from './parts/child-process.ts';
import { median } from './parts/median.ts';

const execute = promisify(execFile);
const PAIRS = 5;
const SECONDS = 4;
const SENDERS = 500;
const CROWD = { slow: 4000, garbage: 500 };

export async function run(): Promise<void> {
  const found = await kafka();
  if (!found) {
    console.log('crowd: skipped, there is no Kafka');
    return;
  }
  const topic = `bench.${randomBytes(4).toString('hex')}`;
  const env = {
    SLUICE_KAFKA_BROKERS: found.brokers.join(','),
    SLUICE_KAFKA_TOPIC: topic,
    SLUICE_KAFKA_DEAD_LETTER_TOPIC: `${topic}.dead`,
    SLUICE_KAFKA_GROUP: topic,
  };
  await execute(process.execPath, ['dist/sluice.js', 'setup'], { env: { ...process.env, ...env } });
  console.log(`crowd: ${SENDERS} senders, ${CROWD.slow} that send a byte a second, ${CROWD.garbage} that send garbage`);
  await using sluice = await startUnderTest('forwarder', env);
  await send(sluice);
  console.log(`  after a run alone: peak ${Math.round(sluice.peakMiB())} MiB`);
  const alone: Rate[] = [];
  const crowded: Rate[] = [];
  for (let pair = 0; pair < PAIRS; pair++) {
    alone.push(await send(sluice));
    await using crowd = await new Crowd(sluice.forwardPort).come(CROWD);
    crowded.push(await send(sluice));
    if (pair === PAIRS - 1) console.log(`  closed: ${crowd.slowClosed} slow, ${crowd.garbageClosed} times garbage`);
  }
  for (const [what, of] of [
    ['per second', ({ perSecond }: Rate) => perSecond],
    ['per CPU-second', ({ perCpuSecond }: Rate) => perCpuSecond],
  ] as const) {
    const [without, within] = [median(alone.map(of)), median(crowded.map(of))];
    const share = Math.round((100 * within) / without);
    console.log(`  events ${what}: ${Math.round(without)} alone, ${Math.round(within)} in the crowd, ${share} %`);
  }
  console.log(`  medians of ${PAIRS} alternating runs; peak ${Math.round(sluice.peakMiB())} MiB`);
}

/** Acked events, of the clock's seconds and of the forwarder's own. */
interface Rate {
  readonly perSecond: number;
  readonly perCpuSecond: number;
}

async function send(sluice: ProcessUnderTest): Promise<Rate> {
  const sender = new URL('./parts/load-sender.ts', import.meta.url).pathname;
  const before = sluice.cpuSeconds();
  const options = [sluice.forwardPort, 'single', SECONDS, SENDERS].map(String);
  const { stdout } = await execute(process.execPath, [sender, ...options]);
  const { acked }: { acked: number } = JSON.parse(stdout);
  return { perSecond: acked / SECONDS, perCpuSecond: acked / (sluice.cpuSeconds() - before) };
}
