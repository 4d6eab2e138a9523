// What is longer than a screen goes through a pager, as git's logs do: `less` by default, which shows what fits on one
// screen as if it were not there. Only where a person reads: standard output and standard input are a terminal.
//
// Guarantees: where no pager can be started, what it would have shown is shown without; a pager that is left early is a
// reader that has gone, not an error; the terminal is its own until it has ended.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { SluiceError } from '#shared/errors.ts';
import type { CommandContext } from '../process/command.ts';
import { Output, type OutputStream } from './output.ts';

/** F: ends by itself with what fits on a screen; R: colours; X: leaves the text there; K: Ctrl-C ends it. */
const LESS = 'FRXK';

/** Writes through a pager until it is disposed of, which waits for the reader to leave. */
export class PagedOutput implements AsyncDisposable {
  readonly output: Output;
  readonly #pager: ChildProcess | null;

  private constructor(output: Output, pager: ChildProcess | null) {
    this.output = output;
    this.#pager = pager;
  }

  /** @param paged which streams; none where lines go on coming */
  static async open(context: CommandContext, paged: 'both' | 'stdout' | 'none'): Promise<PagedOutput> {
    const command = context.terminal?.pager ?? null;
    const pager = paged !== 'none' && command !== null ? await started(command) : null;
    if (pager?.stdin == null) return new PagedOutput(new Output(context), null);
    // What it shows is shown at the terminal.
    const stream: OutputStream = Object.assign(pager.stdin, { isTTY: true });
    return new PagedOutput(new Output({ stdout: stream, stderr: paged === 'both' ? stream : context.stderr }), pager);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const pager = this.#pager;
    if (pager === null) return;
    if (pager.exitCode === null && pager.signalCode === null) {
      const ended = once(pager, 'close');
      pager.stdin?.end();
      await ended;
    }
    if (pager.exitCode === 126 || pager.exitCode === 127)
      throw new SluiceError('usage_wrong', 'Cannot start the pager; set PAGER right, or give --no-pager');
  }
}

async function started(command: string): Promise<ChildProcess | null> {
  // As people set PAGER: a program and its options.
  const child = spawn('/bin/sh', ['-c', `exec ${command}`], {
    stdio: ['pipe', 'inherit', 'inherit'],
    env: { LESS, ...process.env },
  });
  try {
    await once(child, 'spawn');
    return child;
  } catch {
    return null;
  }
}
