// A process of Sluice under siege: the built program under a limit of memory, what the kernel knows of it, and what it
// tells itself.

import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import { MALLOC_ENVIRONMENT } from '../../services/sluice/process/malloc.ts';
import { V8_FLAGS } from '../../services/sluice/process/v8-flags.ts';
import { type Environment, type Place, SluiceProcess } from '#test/integration/parts/sluice-process.ts';
import { MemoryLimit } from './memory-limit.ts';

const program = join(import.meta.dirname, '../../dist/sluice.js');
const lookMs = 200;
const scrapeMs = 10_000;

export interface TargetOptions {
  readonly command: 'run' | 'forwarder' | 'indexer';
  readonly place: Place;
  readonly environment: Environment;
  readonly memoryBytesMax: number;
}

/** What was read of /metrics. */
export interface Reading {
  /** Each metric without its prefix, the samples of all labels summed. */
  readonly sums: ReadonlyMap<string, number>;
  readonly turns: Turns;
}

/** Turns of the event loop, by what they took at most: bound in seconds → how many took no more. */
export type Turns = ReadonlyMap<number, number>;

export class Target implements AsyncDisposable {
  readonly name: string;
  readonly place: Place;
  readonly limit: MemoryLimit;
  readonly process: SluiceProcess;
  readonly #watching = new AbortController();
  readonly #watch: Promise<void>;
  /** How late /livez was, each time. */
  readonly livezMs: number[] = [];
  /** Times that it did not answer, or not with 200. */
  livezMissed = 0;
  peakRssBytes = 0;

  private constructor({ command, place, environment, memoryBytesMax }: TargetOptions) {
    this.name = command;
    this.place = place;
    this.limit = new MemoryLimit(command, memoryBytesMax);
    this.process = new SluiceProcess(
      [command],
      place,
      { SLUICE_LOG_LEVEL: 'error', ...MALLOC_ENVIRONMENT, ...environment, ...this.limit.environment },
      // As the image starts it.
      [...this.limit.wrapper, process.execPath, ...V8_FLAGS, program],
    );
    this.#watch = this.#look();
  }

  static async start(options: TargetOptions): Promise<Target> {
    const target = new Target(options);
    await target.process.ready();
    return target;
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  /** Whether the kernel still knows it. */
  get isRunning(): boolean {
    return this.peakNow() > 0;
  }

  /** Rejects where it does not answer. */
  async read(): Promise<Reading> {
    const answer = await fetch(`http://127.0.0.1:${this.place.admin}/metrics`, {
      signal: AbortSignal.timeout(scrapeMs),
    });
    return readingOf(await answer.text());
  }

  /** Highest resident set so far, in bytes; 0 where it has ended. */
  peakNow(): number {
    try {
      const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
      return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024;
    } catch {
      return 0;
    }
  }

  async #look(): Promise<void> {
    const { signal } = this.#watching;
    // Before it is ready nobody asks.
    await this.process.ready().catch(() => undefined);
    while (!signal.aborted) {
      this.peakRssBytes = Math.max(this.peakRssBytes, this.peakNow());
      const sinceMs = performance.now();
      const isAlive = await fetch(`http://127.0.0.1:${this.place.admin}/livez`, {
        signal: AbortSignal.timeout(scrapeMs),
      }).then(
        async (answer) => (await answer.text(), answer.ok),
        () => false,
      );
      if (signal.aborted) return;
      if (isAlive) this.livezMs.push(performance.now() - sinceMs);
      else this.livezMissed++;
      await delay(lookMs);
    }
  }

  /** As an operator would; its exit code. */
  async stop(): Promise<number | null> {
    this.#watching.abort();
    return (await this.process.stop()).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watching.abort();
    await this.process.kill();
    await this.#watch;
    this.limit[Symbol.dispose]();
  }
}

export function readingOf(text: string): Reading {
  const sums = new Map<string, number>();
  const turns = new Map<number, number>();
  for (const line of text.split('\n')) {
    const [, name, labels = '', value] = /^sluice_(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name === undefined) continue;
    if (name === 'turn_seconds_bucket') {
      const bound = /le="([^"]+)"/.exec(labels)?.[1] ?? '';
      turns.set(bound === '+Inf' ? Infinity : Number(bound), Number(value));
    } else sums.set(name, (sums.get(name) ?? 0) + Number(value));
  }
  return { sums, turns };
}

/** Turns that took more than a bound of the histogram, and all, between two readings. */
export function turnsAbove(seconds: number, from: Turns, to: Turns): { readonly above: number; readonly all: number } {
  const between = (bound: number): number => (to.get(bound) ?? 0) - (from.get(bound) ?? 0);
  const all = between(Infinity);
  return { above: all - between(seconds), all };
}
