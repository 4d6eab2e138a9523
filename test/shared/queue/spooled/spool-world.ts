// Real folders for the tests of the spool, and spools on them, with a queue behind that does what a test wants.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import type { QueueRecord } from '#shared/record/record.ts';
import { openSpool, type Spool, type SpoolFigures } from '#shared/queue/spooled/open-spool.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { RecordingObserver } from './recording-observer.ts';
import { recordOf } from './records.ts';
import { refusedWith, UnsteadyQueue } from './unsteady-queue.ts';

export const MIB = 1024 * 1024;
export const AWAY = refusedWith('queue_unavailable');

interface Opening {
  readonly upstream?: UnsteadyQueue;
  readonly observer?: RecordingObserver;
  readonly warnings?: string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly watch?: (figures: () => SpoolFigures) => void;
}

const opened = new WeakMap<TestContext, Spool[]>();

/** Opens a spool, which is closed at the end of the test at the latest. */
export async function open(t: TestContext, dataDir: string, opening: Opening = {}): Promise<Spool> {
  const { upstream = newUpstream(), observer = new RecordingObserver(), warnings = [], env, watch } = opening;
  const spool = await openSpool({
    config: loadConfig({
      env: { SLUICE_DATA_DIR: dataDir, SLUICE_KAFKA_BROKERS: 'none:1', ...env },
      readFile: () => '',
    }),
    upstream: upstream.connect(),
    clock: systemClock,
    random: Math.random,
    observe(figures) {
      watch?.(figures);
      return observer;
    },
    warn: (message) => warnings.push(message),
  });
  const others = opened.get(t);
  if (others) others.push(spool);
  else {
    opened.set(t, [spool]);
    t.after(() => closeAll(t));
  }
  return spool;
}

export async function closeAll(t: TestContext): Promise<void> {
  for (const spool of opened.get(t)?.splice(0) ?? []) await spool[Symbol.asyncDispose]();
}

export function newUpstream(): UnsteadyQueue {
  return new UnsteadyQueue(new VirtualClock(), 4);
}

export async function folder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-spool-'));
  t.after(async () => {
    await closeAll(t);
    await rm(dir, { recursive: true });
  });
  return dir;
}

export function spoolNames(dataDir: string): string[] {
  return readdirSync(join(dataDir, 'spool')).filter((name) => /^\d+$/.test(name));
}

/** A record of 0.5 MB with one event. */
export function large(n: number): QueueRecord {
  return { ...recordOf('large', n), value: Buffer.alloc(500_000, n) };
}

/** Appends until the spool is full; resolves to the number that it took. */
export async function fill(spool: Spool, from = 0): Promise<number> {
  for (let n = from; ; n++) {
    try {
      await spool.queue.append(0, [large(n)]);
    } catch (error) {
      assert.ok(error instanceof Error && 'code' in error);
      assert.equal(error.code, 'queue_full');
      return n - from;
    }
  }
}

export async function feedAll(dataDir: string, upstream: UnsteadyQueue): Promise<void> {
  const spool = await openSpool({
    config: loadConfig({ env: { SLUICE_DATA_DIR: dataDir, SLUICE_KAFKA_BROKERS: 'none:1' }, readFile: () => '' }),
    upstream: upstream.connect(),
    clock: systemClock,
    random: Math.random,
    observe: () => new RecordingObserver(),
    warn: (message) => assert.fail(message),
  });
  await until(() => !spool.queue.isSpooling);
  await spool[Symbol.asyncDispose]();
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

export function range(length: number): number[] {
  return Array.from({ length }, (_, n) => n);
}
