// Files → Kafka, beside the OpenTelemetry Collector's filelog: a backlog of 500 files that lies there at once, then
// lines that are written to 500 files while they are read. Both acknowledge only what Kafka has (collectors.ts), have a
// topic of 12 partitions of their own, and take turns; what arrived is counted in Kafka, line by line. Ratios are of
// the medians of a run.
//
//   --megabytes N   size of the backlog             --rate N      lines a second
//   --rounds N      turns of each                   --seconds N   of lines being written
//   --pods N        nothing of this, but many.ts

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { kafka } from '#test/backends/kafka.ts';
import type { ServiceUnderTest } from '../parts/child-process.ts';
import { median } from '../parts/median.ts';
import { type Arrived, arrivedIn } from './arrived.ts';
import { type Backlog, writeBacklog } from './backlog.ts';
import { type Collector, filelog, sluice } from './collectors.ts';
import { measureLines } from './line-speed.ts';
import { runMany } from './many.ts';
import { ownTopic } from './own-topic.ts';

const FILES = 500;
const LOOK_MS = 250;
/** Both look for new files each second at least. */
const SETTLE_MS = 3000;
/** Without another line for so long, nothing more is to come. */
const QUIET_MS = 20_000;

export interface Options {
  readonly megabytes?: number;
  readonly rounds?: number;
  readonly rate?: number;
  readonly seconds?: number;
  readonly pods?: number;
}

/** Of one turn. */
interface Figures {
  readonly perCpuSecond: number;
  readonly peakMiB: number;
  readonly steadyMiB: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
}

export async function run(options: Options = {}): Promise<void> {
  const { megabytes = 100, rounds = 3, rate = 10_000, seconds = 10, pods } = options;
  if (pods === undefined) measureLines();
  const found = await kafka();
  if (!found) {
    console.log('files → Kafka: skipped, there is no Kafka');
    return;
  }
  if (pods !== undefined) return runMany(pods, found.brokers);
  const peer = await filelog();
  const collectors = peer === null ? [sluice] : [sluice, peer];
  if (peer === null) console.log('files: without the OpenTelemetry Collector, there is no Go');
  const root = await mkdtemp(join(tmpdir(), 'sluice-bench-files-'));
  try {
    const backlog = writeBacklog(join(root, 'backlog'), FILES, megabytes * 1e6);
    const lines = FILES * backlog.linesPerFile;
    console.log(`files → Kafka (${found.how}): a backlog of ${lines} lines, ${toMB(backlog.bytes)} MB, ${FILES} files`);
    await inTurns(collectors, rounds, (collector) =>
      turn({ root, brokers: found.brokers, collector }, ofBacklog(backlog)),
    );
    console.log(`files → Kafka: ${rate} lines a second to ${FILES} files, for ${seconds} s`);
    await inTurns(collectors, rounds, (collector) =>
      turn({ root, brokers: found.brokers, collector }, whileWritten(rate, seconds)),
    );
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function inTurns(
  collectors: readonly Collector[],
  rounds: number,
  measure: (collector: Collector) => Promise<Figures>,
): Promise<void> {
  const seen = new Map<Collector, Figures[]>(collectors.map((collector) => [collector, []]));
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? collectors : collectors.toReversed();
    for (const collector of order) seen.get(collector)?.push(await measure(collector));
  }
  const medians = collectors.map((collector) => mediansOf(seen.get(collector) ?? []));
  const [ours, theirs] = medians;
  for (const [i, figures] of medians.entries())
    console.log(`  ${collectors[i]?.title}, median of ${rounds}: ${told(figures)}`);
  if (ours === undefined || theirs === undefined) return;
  const ratios = (Object.keys(ours) as (keyof Figures)[]).map((name) => {
    return `${names[name]} ${((ours[name] ?? 0) / (theirs[name] ?? 0)).toFixed(2)}`;
  });
  console.log(`  Sluice's part of filelog's: ${ratios.join(', ')}`);
}

const names: Readonly<Record<keyof Figures, string>> = {
  perCpuSecond: 'lines per CPU-second',
  peakMiB: 'peak memory',
  steadyMiB: 'steady memory',
  p50Ms: 'delay p50',
  p99Ms: 'delay p99',
};

function mediansOf(all: readonly Figures[]): Figures {
  const of = (name: keyof Figures): number => median(all.map((figures) => figures[name] ?? 0));
  const same = { perCpuSecond: of('perCpuSecond'), peakMiB: of('peakMiB'), steadyMiB: of('steadyMiB') };
  return all[0]?.p50Ms === undefined ? same : { ...same, p50Ms: of('p50Ms'), p99Ms: of('p99Ms') };
}

function told({ perCpuSecond, peakMiB, steadyMiB, p50Ms, p99Ms = 0 }: Figures): string {
  const speed = `${(perCpuSecond / 1000).toFixed(1)} k lines per CPU-second`;
  const memory = `peak ${Math.round(peakMiB)} MiB, steady ${Math.round(steadyMiB)} MiB`;
  const delays = p50Ms === undefined ? '' : `, delay p50 ${Math.round(p50Ms)} ms, p99 ${Math.round(p99Ms)} ms`;
  return `${speed}, ${memory}${delays}`;
}

interface Turn {
  readonly root: string;
  readonly brokers: readonly string[];
  readonly collector: Collector;
}

/** What lies in the folder that a collector reads, or comes there. Resolves to the lines when all are there. */
interface Load {
  readonly isLive: boolean;
  begin(folder: string, measuring: () => void): Promise<number>;
  /** Takes back what can be used again. */
  end(folder: string): Promise<void>;
}

function ofBacklog(backlog: Backlog): Load {
  return {
    isLive: false,
    async begin(folder, measuring) {
      measuring();
      await rename(backlog.folder, join(folder, 'backlog'));
      return backlog.files * backlog.linesPerFile;
    },
    end: (folder) => rename(join(folder, 'backlog'), backlog.folder),
  };
}

function whileWritten(rate: number, seconds: number): Load {
  return {
    isLive: true,
    async begin(folder, measuring) {
      const program = new URL('line-writer.ts', import.meta.url).pathname;
      const child = spawn(process.execPath, [program, folder, String(FILES), String(rate), String(seconds)], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      await once(child.stdout, 'readable');
      child.stdout.read();
      await delay(SETTLE_MS);
      measuring();
      child.stdin.write('\n');
      const { lines, lateMs } = JSON.parse(await text(child.stdout)) as { lines: number; lateMs: number };
      if (lateMs > 100) console.log(`    !! the writer was late by up to ${Math.round(lateMs)} ms`);
      return lines;
    },
    end: () => Promise.resolve(),
  };
}

async function turn({ root, brokers, collector }: Turn, load: Load): Promise<Figures> {
  await using topic = await ownTopic(brokers);
  const { name, env, config } = topic;
  const folder = join(root, name, 'in');
  await mkdir(folder, { recursive: true });
  try {
    const place = { include: join(folder, '**/*.log'), dataDir: join(root, name, 'data'), brokers, topic: name, env };
    const measured = await measure(await collector.start(place), collector, folder, load);
    await load.end(folder);
    const arrived = await arrivedIn(config, { files: FILES, lines: measured.lines, wantsDelays: load.isLive });
    const figures = { ...measured.figures, ...(load.isLive && delaysOf(arrived)) };
    const bad = arrived.lost + arrived.doubled === 0 ? '' : `, !! ${arrived.lost} LOST, ${arrived.doubled} DOUBLED`;
    const speed = `${measured.seconds.toFixed(1)} s, ${measured.cpuSeconds.toFixed(1)} CPU-seconds`;
    console.log(`    ${collector.title}: ${told(figures)} (${speed}, ${arrived.records} records in Kafka${bad})`);
    return figures;
  } finally {
    await rm(join(root, name), { recursive: true, force: true });
  }
}

async function measure(starting: ServiceUnderTest, { acknowledged }: Collector, folder: string, load: Load) {
  await using service = starting;
  await delay(SETTLE_MS);
  let [before, beganMs] = [0, 0];
  const resident: number[] = [];
  const looking = new AbortController();
  const looks = (async () => {
    for (; !looking.signal.aborted; await delay(LOOK_MS)) if (beganMs > 0) resident.push(service.residentMiB());
  })();
  const lines = await load.begin(folder, () => {
    before = service.cpuSeconds();
    beganMs = performance.now();
  });
  let seen = 0;
  for (let sinceMs = performance.now(); seen < lines && performance.now() - sinceMs < QUIET_MS; await delay(LOOK_MS)) {
    const now = await service.counter(acknowledged);
    if (now > seen) sinceMs = performance.now();
    seen = now;
  }
  const [cpuSeconds, seconds] = [service.cpuSeconds() - before, (performance.now() - beganMs) / 1000];
  looking.abort();
  await looks;
  const memory = { peakMiB: service.peakMiB(), steadyMiB: median(resident) };
  return { lines, seconds, cpuSeconds, figures: { perCpuSecond: lines / cpuSeconds, ...memory } };
}

function delaysOf({ delaysMs }: Arrived): { p50Ms: number; p99Ms: number } {
  const at = (part: number): number => delaysMs[Math.floor(delaysMs.length * part)] ?? 0;
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}

function toMB(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}
