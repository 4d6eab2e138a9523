// A child process that ends when this one ends, however that happens (tether.sh), in a group of its own, so that a
// signal reaches what stands behind a shell and Ctrl-C does not. It can be started again, killed, stopped, and frozen
// in the middle of its work.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';

const tether = join(import.meta.dirname, 'tether.sh');
const stopTimeoutMs = 20_000;
const outputCharsMax = 20_000;

export interface TetheredOptions {
  readonly command: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  /** File that what it says is appended to; without one, `output` has the end of it. */
  readonly log?: string;
  /** It has ended, for whatever reason; with its exit code, or null after a signal. */
  readonly ended?: (code: number | null) => void;
}

export class Tethered {
  readonly #options: TetheredOptions;
  #child: ChildProcess | undefined;
  #output = '';

  constructor(options: TetheredOptions) {
    this.#options = options;
  }

  /** The end of what it said, where there is no log file. */
  get output(): string {
    return this.#output;
  }

  get running(): boolean {
    return this.#child?.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Of the last run; null while it runs, and after a signal. */
  get exitCode(): number | null {
    return this.#child?.exitCode ?? null;
  }

  start(): void {
    const { command, environment, log, ended } = this.#options;
    const file = log === undefined ? null : openSync(log, 'a');
    const output = file ?? 'pipe';
    const child = spawn('sh', [tether, ...command], {
      env: environment,
      detached: true,
      stdio: ['pipe', output, output],
    });
    this.#child = child;
    if (ended !== undefined) child.once('exit', ended);
    if (file !== null) closeSync(file);
    // Who ends must not wait for it; the tether ends it.
    child.unref();
    for (const stream of [child.stdout, child.stderr]) {
      const keep = (text: string): string => (this.#output = (this.#output + text).slice(-outputCharsMax));
      stream?.setEncoding('utf8').on('data', keep);
    }
    for (const stream of child.stdio) {
      // Pipes of a child keep their parent alive too.
      if (stream && 'unref' in stream && typeof stream.unref === 'function') stream.unref();
    }
  }

  /** As an operator would: SIGTERM, and SIGKILL if that does not help. */
  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  /** As a power cut would, but for the page cache. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  /** SIGKILL without waiting for the end. */
  killNow(): void {
    this.#signalGroup('SIGKILL');
  }

  /** SIGHUP, which Sluice's primaries take as "replace your workers". */
  reload(): void {
    this.#child?.kill('SIGHUP');
  }

  /** SIGSTOP for the process and its workers: its tether goes on, and ends it with us. */
  freeze(): void {
    this.#child?.kill('SIGUSR1');
  }

  /** SIGCONT. */
  thaw(): void {
    this.#child?.kill('SIGUSR2');
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.running) return;
    child.ref();
    const gone = once(child, 'exit');
    // The tether hands SIGTERM on; to the whole group it would come twice, and a second one means "at once" to many
    // programs.
    if (signal === 'SIGTERM') child.kill(signal);
    else this.#signalGroup(signal);
    const hard = setTimeout(() => this.#signalGroup('SIGKILL'), stopTimeoutMs);
    await gone;
    clearTimeout(hard);
  }

  #signalGroup(signal: NodeJS.Signals): void {
    if (this.#child?.pid === undefined || !this.running) return;
    try {
      process.kill(-this.#child.pid, signal);
    } catch {
      // It has ended in between.
    }
  }
}
