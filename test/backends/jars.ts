// Servers from Maven Central's jars, as child processes: a backend where there is no Docker, and the backend of every
// test that has to stop, kill and start its server. Each has ports and a temporary folder of its own, and keeps both
// over a restart.
//
// Guarantee: it ends with this process, however that ends (tether.sh), and disposing of it leaves no file behind.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Tethered } from './tethered.ts';

const folder = import.meta.dirname;
const startTimeoutMs = 120_000;

interface JarServerOptions {
  /** `kafka`, `elasticsearch`, …: the folder beside this file. */
  readonly name: string;
  /** Of its prepare.sh: a version. */
  readonly version?: string;
  /** Variables of its run.sh, given the prepared folder and the data folder. */
  readonly environment: (home: string, data: string) => Record<string, string>;
  /** Resolves true once it serves. */
  readonly serves: () => Promise<boolean>;
  /** File that what it says is appended to. */
  readonly log?: string;
}

/** The folder with the server's jars; fetched from Maven Central if need be. Throws with what the script said. */
function prepare(name: string, version?: string): string {
  const script = join(folder, name, 'prepare.sh');
  const { status, stdout, stderr } = spawnSync('bash', [script, ...(version === undefined ? [] : [version])], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (status !== 0) throw new Error(`Cannot prepare ${name}: ${stderr.trim().split('\n').at(-1) ?? 'bash is missing'}`);
  return stdout.trim();
}

export class JarServer implements AsyncDisposable {
  readonly #options: JarServerOptions;
  readonly #data: string;
  readonly #process: Tethered;

  constructor(options: JarServerOptions) {
    const { name, version, environment, log } = options;
    this.#options = options;
    const home = prepare(name, version);
    this.#data = mkdtempSync(join(tmpdir(), `sluice-${name}-`));
    this.#process = new Tethered({
      command: ['sh', join(folder, name, 'run.sh')],
      environment: { ...process.env, ...environment(home, this.#data) },
      ...(log !== undefined && { log }),
    });
    process.once('exit', this.#clear);
  }

  /**
   * Starts it and resolves when it serves; rejects with its last lines if it ends instead. What is tested stands on it,
   * and is not it: one that ends while it starts is started once more.
   */
  async start(): Promise<void> {
    const { name, serves } = this.#options;
    this.#process.start();
    const deadline = performance.now() + startTimeoutMs;
    for (let hasEnded = false; !(await serves()); await delay(100)) {
      if (!this.#process.running) {
        const why = `it ended with ${this.#process.exitCode}\n${this.#process.output}`;
        if (hasEnded) throw new Error(`Cannot start ${name}: ${why}`);
        hasEnded = true;
        console.error(`${name} is started once more: ${why}`);
        this.#process.start();
      }
      if (performance.now() > deadline) throw new Error(`Cannot start ${name}: no answer\n${this.#process.output}`);
    }
  }

  /** As an operator would: SIGTERM, and SIGKILL if that does not help. */
  stop(): Promise<void> {
    return this.#process.stop();
  }

  /** As a power cut would, but for the page cache. */
  kill(): Promise<void> {
    return this.#process.kill();
  }

  /** SIGSTOP, until `thaw`: it holds its connections and answers nothing. */
  freeze(): void {
    this.#process.freeze();
  }

  thaw(): void {
    this.#process.thaw();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    process.off('exit', this.#clear);
    this.#clear();
  }

  readonly #clear = (): void => {
    this.#process.killNow();
    rmSync(this.#data, { recursive: true, force: true, maxRetries: 3 });
  };
}
