// One process of Sluice in the run: the built program, on ports of its own that it keeps over restarts, its log
// appended to one file. What it counts is read before it is killed and every now and then, and summed over all its
// lives. One that ends by itself is started again after a moment, as those who run services have it.

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '#test/backends/free-port.ts';
import { Tethered } from '#test/backends/tethered.ts';
import { Clock } from './faults/clock.ts';

const program = join(import.meta.dirname, '../../dist/sluice.js');
const scrapeMs = 1000;
const restartMs = 1000;
const pollMs = 100;

export interface MemberOptions {
  /** "forwarder" or "indexer". */
  readonly command: string;
  readonly name: string;
  readonly dataDir: string;
  /** Stays readable when the data folder is full. */
  readonly clockFile: string;
  readonly logDir: string;
  readonly environment: Readonly<Record<string, string>>;
  /** It has ended by itself. */
  readonly fell: (name: string, code: number | null) => void;
}

type Metrics = ReadonlyMap<string, number>;

export class Member implements AsyncDisposable {
  readonly name: string;
  readonly forwardPort: number;
  readonly clock: Clock;
  readonly #admin: string;
  readonly #process: Tethered;
  /** The last that was read of this life, and what all lives before had counted. */
  #metrics: Metrics = new Map();
  readonly #before = new Map<string, number>();
  #lives = 0;
  #frozen = false;
  /** It is meant to run. */
  #wanted = false;

  private constructor(options: MemberOptions, ports: { forward: number; http: number; admin: number }) {
    const { name, command, dataDir, clockFile, logDir, environment, fell } = options;
    this.clock = new Clock(clockFile);
    this.name = name;
    this.forwardPort = ports.forward;
    this.#admin = `http://127.0.0.1:${ports.admin}`;
    this.#process = new Tethered({
      command: [...this.clock.wrapper, process.execPath, program, command],
      environment: {
        ...withoutSluice(process.env),
        ...environment,
        SLUICE_DATA_DIR: dataDir,
        SLUICE_FORWARD_LISTEN: `127.0.0.1:${ports.forward}`,
        SLUICE_HTTP_LISTEN: `127.0.0.1:${ports.http}`,
        SLUICE_ADMIN_LISTEN: `127.0.0.1:${ports.admin}`,
      },
      log: join(logDir, `${name}.log`),
      ended: (code) => {
        if (!this.#wanted) return;
        fell(this.name, code);
        setTimeout(() => this.#wanted && this.#launch(), restartMs).unref();
      },
    });
  }

  static async make(options: MemberOptions): Promise<Member> {
    return new Member(options, { forward: await freePort(), http: await freePort(), admin: await freePort() });
  }

  /** Of its last life. */
  get exitCode(): number | null {
    return this.#process.exitCode;
  }

  start(): void {
    this.#wanted = true;
    this.#launch();
  }

  #launch(): void {
    for (const [name, value] of this.#metrics) {
      if (name.endsWith('_total')) this.#before.set(name, (this.#before.get(name) ?? 0) + value);
    }
    this.#metrics = new Map();
    this.#lives++;
    this.#process.start();
  }

  isReady(): Promise<boolean> {
    return this.#says('readyz');
  }

  async #says(path: 'livez' | 'readyz'): Promise<boolean> {
    try {
      return (await fetch(`${this.#admin}/${path}`, { signal: AbortSignal.timeout(scrapeMs) })).ok;
    } catch {
      return false;
    }
  }

  /** Reads its metrics; what was read before stays where they cannot be had now. */
  async scrape(): Promise<void> {
    if (this.#frozen || !this.#process.running) return;
    const life = this.#lives;
    try {
      const answer = await fetch(`${this.#admin}/metrics`, { signal: AbortSignal.timeout(scrapeMs) });
      const metrics = metricsOf(await answer.text());
      if (life === this.#lives) this.#metrics = metrics;
    } catch {
      // It is busy, starting or ending.
    }
  }

  /** A gauge as it was last read; its samples summed. */
  now(name: string): number {
    return this.#metrics.get(name) ?? 0;
  }

  /** A counter over all lives, as far as they were read. */
  total(name: string): number {
    return (this.#before.get(name) ?? 0) + (this.#metrics.get(name) ?? 0);
  }

  kill(): Promise<void> {
    this.#wanted = false;
    return this.#process.kill();
  }

  stop(): Promise<void> {
    this.#wanted = false;
    return this.#process.stop();
  }

  /** Has it replace its workers, as soon as it is up: one that starts just now would end. */
  async reload(signal: AbortSignal): Promise<void> {
    while (!(await this.#says('livez'))) {
      if (signal.aborted) return;
      await delay(pollMs);
    }
    this.#process.reload();
  }

  freeze(): void {
    this.#frozen = true;
    this.#process.freeze();
  }

  thaw(): void {
    this.#frozen = false;
    this.#process.thaw();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

function withoutSluice(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('SLUICE_')));
}

/** Each metric without its prefix, the samples of all labels summed. */
function metricsOf(text: string): Map<string, number> {
  const sums = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, name, value] = /^sluice_(\w+)(?:\{.*\})? (\S+)$/.exec(line) ?? [];
    if (name !== undefined) sums.set(name, (sums.get(name) ?? 0) + Number(value));
  }
  return sums;
}
