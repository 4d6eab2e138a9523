// Starts the real program as its users do, as a child process with settings in the environment, on ports and in a data
// folder of its own. What a test starts ends with it; what the program said is kept for the message of a failed
// assertion.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '#test/backends/free-port.ts';

/** The program and its first arguments: from the sources. */
const FROM_SOURCES = [process.execPath, join(import.meta.dirname, '../../../services/sluice/main.ts')] as const;

const commandMs = 60_000;

export type Environment = Readonly<Record<string, string>>;

export interface Finished {
  /** Null after a signal that the program did not handle. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Settings of one program: where it listens and keeps its data. Two programs may share them if one is started after the
 * other.
 */
export interface Place {
  readonly dataDir: string;
  readonly forward: number;
  readonly http: number;
  readonly admin: number;
}

/** Free ports and an empty folder, which `remove` deletes. */
export async function newPlace(): Promise<Place & AsyncDisposable> {
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-data-'));
  return {
    dataDir,
    forward: await freePort(),
    http: await freePort(),
    admin: await freePort(),
    [Symbol.asyncDispose]: () => rm(dataDir, { recursive: true, force: true }),
  };
}

function environmentOf(command: string | undefined, place: Place | null, more: Environment): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('SLUICE_'));
  const listen = place && {
    SLUICE_DATA_DIR: place.dataDir,
    SLUICE_FORWARD_LISTEN: `127.0.0.1:${place.forward}`,
    SLUICE_HTTP_LISTEN: `127.0.0.1:${place.http}`,
    SLUICE_ADMIN_LISTEN: `127.0.0.1:${place.admin}`,
    // An indexer has no read API unless it is asked for, and none may where it has workers.
    ...(command === 'run' && { SLUICE_READ_LISTEN: '127.0.0.1:0' }),
  };
  // The test runner speaks to its own children by this variable; the program is not one.
  return { ...Object.fromEntries(inherited), NODE_TEST_CONTEXT: undefined, ...listen, ...more };
}

/**
 * Runs a command to its end; kills it (code null) if it is still there after a minute, so that it fails its test and no
 * more.
 */
export async function sluice(args: readonly string[], place: Place | null, more: Environment = {}): Promise<Finished> {
  await using command = new SluiceProcess(args, place, more);
  const overdue = setTimeout(() => void command.kill(), commandMs);
  const finished = await command.finished;
  clearTimeout(overdue);
  return finished;
}

/** Another test's server may have the port, and never answer. */
const ANSWER_MS = 10_000;

/** A service: `run`, `forwarder` or `indexer`. */
export class SluiceProcess implements AsyncDisposable {
  readonly place: Place | null;
  /** Resolves when the process has ended and all that it said is known. */
  readonly finished: Promise<Finished>;
  readonly #child: ChildProcess;
  #stdout = '';
  #stderr = '';

  /** `program`: another than that of the sources. */
  constructor(
    args: readonly string[],
    place: Place | null,
    more: Environment = {},
    program: readonly [string, ...string[]] = FROM_SOURCES,
  ) {
    this.place = place;
    const [file, ...first] = program;
    this.#child = spawn(file, [...first, ...args], {
      env: environmentOf(args[0], place, more),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.#stdout += text));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    this.finished = once(this.#child, 'close').then(([code]: unknown[]) => ({
      code: typeof code === 'number' ? code : null,
      stdout: this.#stdout,
      stderr: this.#stderr,
    }));
  }

  /** Undefined where the program could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Resolves when /readyz answers 200; rejects with what the program said if it ends instead. */
  async ready(): Promise<this> {
    await this.until(async () => (await this.readiness()).ready);
    return this;
  }

  /** What /readyz answers: whether it is ready, and the reasons why not. While nobody listens: not ready, "". */
  async readiness(): Promise<{ ready: boolean; reasons: string }> {
    try {
      const answer = await fetch(this.#admin('/readyz'), { signal: AbortSignal.timeout(ANSWER_MS) });
      return { ready: answer.ok, reasons: answer.ok ? '' : await answer.text() };
    } catch {
      return { ready: false, reasons: '' };
    }
  }

  /** Asks until it is so; rejects if the program ends first. */
  async until(condition: () => Promise<boolean>): Promise<void> {
    while (!(await condition())) {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        const { code, stdout, stderr } = await this.finished;
        throw new Error(`sluice ended with ${code}\n${stdout}\n${stderr}`);
      }
      await delay(25);
    }
  }

  /** Sum of a metric's samples, all labels together; 0 where it has none. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(this.#admin('/metrics'))).text();
    return text
      .split('\n')
      .filter((line) => line.startsWith(`sluice_${name} `) || line.startsWith(`sluice_${name}{`))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  /** SIGTERM; resolves with how it ended and how long that took. */
  async stop(): Promise<Finished & { readonly tookMs: number }> {
    const since = performance.now();
    this.#child.kill('SIGTERM');
    const finished = await this.finished;
    return { ...finished, tookMs: performance.now() - since };
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.finished;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #admin(path: string): string {
    return `http://127.0.0.1:${this.place?.admin ?? 0}${path}`;
  }
}
