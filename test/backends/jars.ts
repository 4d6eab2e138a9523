// Servers from Maven Central's jars, as child processes: a backend where there is no Docker, and the backend of every test
// that has to stop, kill and start its server. Each has ports and a temporary folder of its own, and keeps both over a restart.
//
// Guarantee: it ends with this process, however that ends (tether.sh), and `close` leaves no file behind.

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const folder = import.meta.dirname;
const startTimeoutMs = 120_000;
const stopTimeoutMs = 20_000;

interface JarServerOptions {
  /** `kafka` or `elasticsearch`: the folder beside this file. */
  readonly name: string;
  /** Variables of its run.sh, given the prepared folder and the data folder. */
  readonly environment: (home: string, data: string) => Record<string, string>;
  /** Resolves true once it serves. */
  readonly serves: () => Promise<boolean>;
}

/** The folder with the server's jars; fetched from Maven Central if need be. Throws with what the script said. */
function prepare(name: string): string {
  const { status, stdout, stderr } = spawnSync('bash', [join(folder, name, 'prepare.sh')], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (status !== 0) throw new Error(`Cannot prepare ${name}: ${stderr.trim().split('\n').at(-1) ?? 'bash is missing'}`);
  return stdout.trim();
}

export class JarServer implements AsyncDisposable {
  readonly #options: JarServerOptions;
  readonly #home: string;
  readonly #data: string;
  #child: ChildProcess | undefined;
  #output = '';

  constructor(options: JarServerOptions) {
    this.#options = options;
    this.#home = prepare(options.name);
    this.#data = mkdtempSync(join(tmpdir(), `sluice-${options.name}-`));
    process.once('exit', this.#clear);
  }

  /** Starts it and resolves when it serves; rejects with its last lines if it ends instead. */
  async start(): Promise<void> {
    const child = spawn('sh', [join(folder, 'tether.sh'), 'sh', join(folder, this.#options.name, 'run.sh')], {
      env: { ...process.env, ...this.#options.environment(this.#home, this.#data) },
      // A group of its own, so that `kill` reaches the server behind the shell and Ctrl-C does not.
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child = child;
    // A test that ends must not wait for its server; the tether ends it.
    child.unref();
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (this.#output = (this.#output + text).slice(-20_000)));
    }
    const deadline = performance.now() + startTimeoutMs;
    while (!(await this.#options.serves())) {
      if (ended(child)) throw new Error(`Cannot start ${this.#options.name}: it ended\n${this.#output}`);
      if (performance.now() > deadline)
        throw new Error(`Cannot start ${this.#options.name}: no answer\n${this.#output}`);
      await delay(100);
    }
    detach(child);
  }

  /** As an operator would: SIGTERM, and SIGKILL if that does not help. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  /** As a power cut would, but for the page cache. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined || ended(child)) return;
    child.ref();
    const gone = once(child, 'exit');
    signalGroup(child.pid, signal);
    const hard = setTimeout(signalGroup, stopTimeoutMs, child.pid, 'SIGKILL');
    await gone;
    clearTimeout(hard);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    process.off('exit', this.#clear);
    this.#clear();
  }

  readonly #clear = (): void => {
    if (this.#child?.pid !== undefined && !ended(this.#child)) signalGroup(this.#child.pid, 'SIGKILL');
    rmSync(this.#data, { recursive: true, force: true, maxRetries: 3 });
  };
}

function ended(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended in between.
  }
}

/** Pipes of a child keep their parent alive too. */
function detach(child: ChildProcess): void {
  for (const stream of child.stdio)
    if (stream && 'unref' in stream && typeof stream.unref === 'function') stream.unref();
}
