// What inputs cost on their whole way: received, queued, indexed into the embedded store with its tables for the
// search, and committed. Of all threads of `sluice run`, from the kernel; each shape of the siege
// (test/siege/shapes.ts) with each of its pieces, as a body of 1 MiB and one of 4 MiB uncompressed. The slope between
// the two, less a constant for each event that was taken.
//
// The highest resident set holds what the garbage collector has not yet collected: up to a hundred megabytes, which do
// not grow with the body. So memory beyond its limit is measured again between 1 MiB and 16 MiB, several times, and the
// median counts.

import { rmSync, writeFileSync, readdirSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '#test/backends/free-port.ts';
import { systemClock } from '#shared/clock.ts';
import { openEmbeddedStore } from '#shared/store/embedded/store.ts';
import { bodyOf, encodingsOf, type Genome } from '#test/siege/genome.ts';
import type { Encoding, Shape } from '#test/siege/shape-parts.ts';
import { compressed, shapes } from '#test/siege/shapes.ts';
import { shoot } from '#test/siege/shot.ts';
import type { Ports } from '#test/siege/world.ts';
import { type ProcessUnderTest, startUnderTest } from './child-process.ts';
import { median } from './median.ts';

const MIB = 1024 * 1024;
const SMALL_BYTES = MIB;
const LARGE_BYTES = 4 * MIB;
const LARGEST_BYTES = 16 * MIB;
/** Limits for each byte, uncompressed. */
const CPU_US_MAX = 2;
const MEMORY_BYTES_MAX = 8;
const DISK_BYTES_MAX = 12;
/**
 * What an event may cost beside its bytes: it is a document with an id, a time, a tag and an order, each of them in an
 * index.
 */
const EVENT = { cpuUs: 20, memoryBytes: 64, diskBytes: 640 };
const REPEATS = 3;
const SETTLED_LOOKS = 3;
const LOOK_MS = 100;
const DRAIN_MS = 120_000;
const BUSY_MS = 10_000;
const QUERY_BYTES = 256 * 1024;

interface Cost {
  readonly events: number;
  readonly cpuUs: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly said: string;
}

export async function runWhole(): Promise<void> {
  const { cpuUs, memoryBytes, diskBytes } = EVENT;
  console.log(
    `amplification, the whole way: limits per byte: ${CPU_US_MAX} us, ${MEMORY_BYTES_MAX} bytes of memory, ` +
      `${DISK_BYTES_MAX} of disk,` +
      ` above ${cpuUs} us, ${memoryBytes} and ${diskBytes} bytes an event`,
  );
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-amplification-'));
  const [syslog, gelf] = [await freePort(), await freePort()];
  try {
    await using sluice = await startUnderTest('run', {
      SLUICE_DATA_DIR: dataDir,
      // What events cost is measured, not how few of them are let in.
      SLUICE_RATE_SMALL_EVENTS_PER_ADDRESS: '0',
      SLUICE_SYSLOG_LISTEN: `127.0.0.1:${syslog}`,
      SLUICE_GELF_LISTEN: `127.0.0.1:${gelf}`,
    });
    const ports: Ports = { forward: sluice.forwardPort, http: sluice.httpPort, syslog, gelf };
    const under = { sluice, ports, dataDir };
    // Code is compiled and tables are begun.
    for (const shape of shapes) await costOf(under, bodyFor(shape, 0, 64 * 1024));
    for (const shape of shapes) {
      // What a datagram may hold is no more than that.
      if (shape.via.endsWith('udp')) continue;
      for (const at of shape.pieces.keys()) {
        for (const encoding of encodingsFor(shape, at)) await measure(under, { ...bodyFor(shape, at, 0), encoding });
      }
    }
    await measureQueries(dataDir);
  } finally {
    rmSync(dataDir, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Forward's are told apart, since what is compressed passes as it is; of the others one is enough. */
function encodingsFor(shape: Shape, piece: number): readonly Encoding[] {
  if (shape.via === 'forward' && piece === shape.pieces.length - 1) return encodingsOf(shape);
  return [encodingsOf(shape).includes('gzip') ? 'gzip' : 'identity'];
}

function bodyFor(shape: Shape, at: number, bytes: number): Genome {
  const piece = shape.pieces[at] ?? Buffer.from('0');
  const repeat = Math.max(1, Math.floor(bytes / piece.length));
  return { shape, piece, repeat, nest: 0, depth: 0, encoding: encodingsFor(shape, at)[0] ?? 'identity' };
}

interface Under {
  readonly sluice: ProcessUnderTest;
  readonly ports: Ports;
  readonly dataDir: string;
}

interface Slopes {
  readonly us: number;
  readonly memory: number;
  readonly disk: number;
  readonly said: string;
  /** What an event cost, where some were taken. */
  readonly perEvent: string;
}

async function measure(under: Under, genome: Genome): Promise<void> {
  const { shape, piece, encoding } = genome;
  const first = await slopesOf(under, genome, LARGE_BYTES);
  const { us, disk, said, perEvent } = first;
  const memory = first.memory > MEMORY_BYTES_MAX ? await memoryOverMore(under, genome) : first.memory;
  const isBeyond = us > CPU_US_MAX || memory > MEMORY_BYTES_MAX || disk > DISK_BYTES_MAX;
  const text = JSON.stringify(piece.toString('latin1').slice(0, 32));
  console.log(
    `${isBeyond ? '!!' : '  '} ${shape.name} ${text}, ${encoding}: ${us.toFixed(3)} us, ` +
      `${memory.toFixed(1)} memory, ${disk.toFixed(1)} disk; ${said}${perEvent}`,
  );
}

async function memoryOverMore(under: Under, genome: Genome): Promise<number> {
  const memories: number[] = [];
  while (memories.length < REPEATS) memories.push((await slopesOf(under, genome, LARGEST_BYTES)).memory);
  return median(memories);
}

async function slopesOf(under: Under, genome: Genome, largeBytes: number): Promise<Slopes> {
  const of = (bytes: number): Genome => ({ ...genome, repeat: Math.floor(bytes / genome.piece.length) });
  const small = await costOf(under, of(SMALL_BYTES));
  const large = await costOf(under, of(largeBytes));
  const events = Math.max(0, large.events - small.events);
  const slope = (what: 'cpuUs' | 'memoryBytes' | 'diskBytes'): number =>
    Math.max(0, large[what] - small[what] - events * EVENT[what]) / (largeBytes - SMALL_BYTES);
  const perEventOf = (what: 'cpuUs' | 'diskBytes'): string => ((large[what] - small[what]) / events).toFixed(0);
  return {
    us: slope('cpuUs'),
    memory: slope('memoryBytes'),
    disk: slope('diskBytes'),
    said: large.said,
    perEvent:
      events === 0
        ? ''
        : ` (${events} events: ${perEventOf('cpuUs')} us, ${perEventOf('diskBytes')} bytes of disk each)`,
  };
}

async function costOf({ sluice, ports, dataDir }: Under, genome: Genome): Promise<Cost> {
  const shot = { shape: genome.shape, encoding: genome.encoding, bytes: compressed(bodyOf(genome), genome.encoding) };
  await drained(sluice);
  // The highest resident set is counted anew.
  writeFileSync(`/proc/${sluice.pid}/clear_refs`, '5');
  const before = {
    cpu: sluice.cpuSeconds(),
    memory: sluice.residentMiB(),
    disk: bytesIn(dataDir),
    events: await indexed(sluice),
  };
  const { said } = await shoot(shot, ports);
  await drained(sluice);
  return {
    events: (await indexed(sluice)) - before.events,
    cpuUs: (sluice.cpuSeconds() - before.cpu) * 1e6,
    memoryBytes: Math.max(0, sluice.peakMiB() - before.memory) * MIB,
    diskBytes: Math.max(0, bytesIn(dataDir) - before.disk),
    said,
  };
}

function indexed(sluice: ProcessUnderTest): Promise<number> {
  return sluice.counter('sluice_events_indexed_total');
}

/** Waits until nothing is in hand, and what was queued is indexed. */
async function drained(sluice: ProcessUnderTest): Promise<void> {
  const endMs = performance.now() + DRAIN_MS;
  for (let quiet = 0, last = -1; quiet < SETTLED_LOOKS && performance.now() < endMs; await delay(LOOK_MS)) {
    const inHand =
      (await sluice.counter('sluice_events_inflight')) + (await sluice.counter('sluice_indexer_lag_records'));
    const now =
      (await sluice.counter('sluice_events_consumed_total')) + (await sluice.counter('sluice_events_received_total'));
    quiet = inHand === 0 && now === last ? quiet + 1 : 0;
    last = now;
  }
}

/**
 * Of the databases' pages that are in use, also those that are still in a WAL: files and WALs grow and shrink in steps
 * of their own.
 */
function bytesIn(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.sqlite')) continue;
    using database = new DatabaseSync(join(entry.parentPath, entry.name), { readOnly: true, timeout: BUSY_MS });
    const figure = (name: string): number => Number(Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
    bytes += (figure('page_count') - figure('freelist_count')) * figure('page_size');
  }
  return bytes;
}

/** What a byte of a query costs beside the search itself. */
async function measureQueries(dataDir: string): Promise<void> {
  await using store = await openEmbeddedStore({ dataDir, readOnly: true, retentionMs: 86_400_000, clock: systemClock });
  for (const piece of ['a ', '"a b" ', 'a* ', '10.0.0.1 ', '中文']) {
    const costs: number[] = [];
    let said = 'found';
    for (const bytes of [QUERY_BYTES / 4, QUERY_BYTES]) {
      const began = process.cpuUsage();
      const query = { text: piece.repeat(bytes / piece.length), limit: 10, order: 'newest' as const };
      await store.search(query).catch((error: unknown) => (said = String(error).slice(0, 80)));
      const { user, system } = process.cpuUsage(began);
      costs.push(user + system);
    }
    const us = ((costs[1] ?? 0) - (costs[0] ?? 0)) / (QUERY_BYTES * 0.75);
    console.log(`${us > CPU_US_MAX ? '!!' : '  '} query ${JSON.stringify(piece)}: ${us.toFixed(3)} us; ${said}`);
  }
}

if (import.meta.main) await runWhole();
