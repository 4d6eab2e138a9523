// Real containers whose log driver sends to a Sluice under test. The image is a busybox imported from this machine:
// nothing is pulled.

import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
export const image = 'sluice-test/busybox:local';

/** Why no container can be run here; null if one can. Imports the image if it is not there yet. */
export function whyNoContainers(): string | null {
  if (spawnSync('docker', ['info']).status !== 0) return 'no Docker daemon answers';
  if (spawnSync('docker', ['image', 'inspect', image]).status === 0) return null;
  const busybox = spawnSync('sh', ['-c', 'command -v busybox'], { encoding: 'utf8' }).stdout.trim();
  if (busybox === '') return 'there is no busybox to make an image of';
  const root = mkdtempSync(join(tmpdir(), 'sluice-busybox-'));
  try {
    mkdirSync(join(root, 'bin'));
    copyFileSync(busybox, join(root, 'bin/busybox'));
    for (const applet of ['sh', 'seq', 'tr', 'head', 'echo', 'awk', 'cat', 'sleep']) {
      symlinkSync('busybox', join(root, 'bin', applet));
    }
    const layer = execFileSync('tar', ['-C', root, '-c', '.'], { maxBuffer: 1 << 26 });
    execFileSync('docker', ['import', '--change', 'ENV PATH=/bin', '-', image], { input: layer });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  return null;
}

export interface ContainerRun {
  /** Shell script that prints. */
  readonly script: string;
  readonly port: number;
  readonly tag: string;
  /**
   * Keeps the container after its script until this is done, as a service lives on. Docker drops what its driver has
   * not sent 10 s after a container's end, and it takes lines faster than they can be acked one by one.
   */
  readonly until?: () => Promise<unknown>;
  /** More options of the fluentd log driver, without "fluentd-". */
  readonly options?: Readonly<Record<string, string>>;
}

export interface ContainerLog {
  /** The container's full id. */
  readonly id: string;
  /** Docker's own record of what was printed: the time of each line, to the nanosecond, and the line. */
  readonly lines: readonly { readonly time: string; readonly text: string }[];
}

/**
 * Runs a container with the fluentd driver and removes it. Rejects if it does not start, or ends with another code than
 * 0.
 */
export async function runContainer({ script, port, tag, until, options = {} }: ContainerRun): Promise<ContainerLog> {
  const given = Object.entries(options).flatMap(([name, value]) => ['--log-opt', `fluentd-${name}=${value}`]);
  const to = ['--log-driver=fluentd', '--log-opt', `fluentd-address=127.0.0.1:${port}`, '--log-opt', `tag=${tag}`];
  const { stdout } = await run('docker', [
    'run',
    '--detach',
    '--network=none',
    ...to,
    ...given,
    image,
    'sh',
    '-c',
    until ? `${script}; sleep 3600` : script,
  ]);
  const id = stdout.trim();
  try {
    await (until ? until() : ended(id));
    const { stdout: log } = await run('docker', ['logs', '--timestamps', id], { maxBuffer: 1 << 28 });
    const lines = log.split('\n').filter((line) => line !== '');
    return {
      id,
      lines: lines.map((line) => ({ time: line.slice(0, line.indexOf(' ')), text: line.slice(line.indexOf(' ') + 1) })),
    };
  } finally {
    await run('docker', ['rm', '--force', id]);
  }
}

export interface DriverRun {
  /** Docker's name of the driver. */
  readonly driver: string;
  /** Its options, by their names. */
  readonly options: Readonly<Record<string, string>>;
  /** Shell script that prints. */
  readonly script: string;
  /** More arguments of `docker run`. */
  readonly args?: readonly string[];
}

/**
 * Runs a container with any log driver to its end and removes it; returns its full id. Rejects as `runContainer` does.
 */
export async function runWithDriver({ driver, options, script, args = [] }: DriverRun): Promise<string> {
  const given = Object.entries(options).flatMap(([name, value]) => ['--log-opt', `${name}=${value}`]);
  const detached = ['run', '--detach', '--network=none', `--log-driver=${driver}`];
  const { stdout } = await run('docker', detached.concat(given, args, image, 'sh', '-c', script));
  const id = stdout.trim();
  try {
    await ended(id);
    return id;
  } finally {
    await run('docker', ['rm', '--force', id]);
  }
}

async function ended(id: string): Promise<void> {
  const { stdout: code } = await run('docker', ['wait', id]);
  if (code.trim() !== '0') throw new Error(`Cannot use container ${id}: it exited with ${code}`);
}
