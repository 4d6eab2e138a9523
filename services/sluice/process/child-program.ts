// Another program, run in our place: it has our standard input and environment, and its output comes to us by pipes.
// Node's own would be sockets, which no program can open by /dev/stdout, as some do; so these are FIFOs, whose names
// are gone before it starts.
//
// Guarantees: every signal that asks us to end goes to the program, unless the terminal has sent it to both; we end
// after it.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { constants as system, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { SluiceError, reasonOf } from '#shared/errors.ts';

export interface ChildProgram {
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves to what a shell would say: its exit code, or 128 and the number of the signal that ended it. */
  readonly exited: Promise<number>;
}

/** Those that the keys of a terminal send, to all programs in its foreground. */
const OF_TERMINALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT'];
const FORWARDED: readonly NodeJS.Signals[] = [...OF_TERMINALS, 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'];
const SIGNAL_BASE = 128;

/** As shells say it: it is not there, or may not be run. */
const NOT_FOUND = 127;
const NOT_PERMITTED = 126;

/** What a shell would say of a program that could not be started. */
export function exitCodeOf(error: unknown): number {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOENT' ? NOT_FOUND : NOT_PERMITTED;
}

/** Rejects with usage_wrong where the program cannot be started. `hasTerminal`: whether ours has keys. */
export async function startProgram(command: readonly string[], hasTerminal: boolean): Promise<ChildProgram> {
  const [file = '', ...args] = command;
  const pipes = openPipes();
  const [stdout, stderr] = pipes ?? [];
  const child = spawn(file, args, { stdio: ['inherit', stdout?.write ?? 'pipe', stderr?.write ?? 'pipe'] });
  for (const pipe of pipes ?? []) closeSync(pipe.write);
  try {
    await once(child, 'spawn');
  } catch (error) {
    for (const pipe of pipes ?? []) closeSync(pipe.read);
    throw new SluiceError('usage_wrong', `Cannot run ${file}: ${reasonOf(error)}; name a program that is there`, {
      cause: error,
    });
  }
  forwardSignals(child, hasTerminal);
  const exited = once(child, 'exit').then(([code, signal]: unknown[]) =>
    typeof code === 'number' ? code : SIGNAL_BASE + system.signals[signal as NodeJS.Signals],
  );
  const streamOf = (pipe: Pipe | undefined, own: Readable | null): Readable =>
    pipe === undefined ? (own as Readable) : new Socket({ fd: pipe.read, readable: true, writable: false });
  return { stdout: streamOf(stdout, child.stdout), stderr: streamOf(stderr, child.stderr), exited };
}

function forwardSignals(child: ChildProcess, hasTerminal: boolean): void {
  for (const signal of FORWARDED) {
    const isTheirs = hasTerminal && OF_TERMINALS.includes(signal);
    process.on(signal, () => {
      if (!isTheirs) child.kill(signal);
    });
  }
}

interface Pipe {
  readonly read: number;
  readonly write: number;
}

/** Null where this machine has no program that makes them. */
function openPipes(): [stdout: Pipe, stderr: Pipe] | null {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-exec-'));
  try {
    const paths = [join(folder, 'stdout'), join(folder, 'stderr')] as const;
    execFileSync('mkfifo', ['-m', '600', ...paths], { stdio: 'ignore' });
    return [openPipe(paths[0]), openPipe(paths[1])];
  } catch {
    return null;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function openPipe(path: string): Pipe {
  // Without waiting for a writer, who comes next.
  const read = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return { read, write: openSync(path, constants.O_WRONLY) };
}
