// A process under test: started from the built bundle, its processor time and peak memory read from the kernel.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { freePort } from '#test/backends/free-port.ts';
import { MALLOC_ENVIRONMENT } from '../../../services/sluice/process/malloc.ts';
import { V8_FLAGS } from '../../../services/sluice/process/v8-flags.ts';

const BUNDLE = 'dist/sluice.js';
/** USER_HZ of Linux. */
const TICKS_PER_SECOND = 100;

export interface ServiceUnderTest extends AsyncDisposable {
  readonly pid: number;
  /** Of all its threads, so far. */
  cpuSeconds(): number;
  peakMiB(): number;
  /** Now. */
  residentMiB(): number;
  /** Sum of a counter over its labels. */
  counter(name: string): Promise<number>;
}

export interface ProcessUnderTest extends ServiceUnderTest {
  readonly forwardPort: number;
  readonly httpPort: number;
}

export interface Service {
  readonly command: readonly [program: string, ...args: string[]];
  readonly env?: Readonly<Record<string, string>>;
  /** Answers well once it is ready. */
  readonly readyUrl: string;
  /** In the format of Prometheus. */
  readonly metricsUrl: string;
}

/** Starts `sluice COMMAND` on free ports, with the flags of V8 and the settings of malloc of the image, once ready. */
export async function startUnderTest(command: string, env: Record<string, string>): Promise<ProcessUnderTest> {
  const [forwardPort, httpPort, adminPort] = [await freePort(), await freePort(), await freePort()];
  const service = await startService({
    command: [process.execPath, ...V8_FLAGS, BUNDLE, command],
    env: {
      ...MALLOC_ENVIRONMENT,
      ...env,
      SLUICE_LOG_LEVEL: 'error',
      SLUICE_FORWARD_LISTEN: `127.0.0.1:${forwardPort}`,
      SLUICE_HTTP_LISTEN: `127.0.0.1:${httpPort}`,
      SLUICE_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
    },
    readyUrl: `http://127.0.0.1:${adminPort}/readyz`,
    metricsUrl: `http://127.0.0.1:${adminPort}/metrics`,
  });
  return Object.assign(service, { forwardPort, httpPort });
}

/** Any program that tells its metrics; resolves when it is ready. */
export async function startService({ command, env, readyUrl, metricsUrl }: Service): Promise<ServiceUnderTest> {
  const [program, ...args] = command;
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'inherit'] });
  await ready(child, readyUrl);
  return {
    pid: child.pid ?? 0,
    cpuSeconds: () => cpuSecondsOf(child.pid),
    peakMiB: () => memoryMiB(child.pid, 'VmHWM'),
    residentMiB: () => memoryMiB(child.pid, 'VmRSS'),
    async counter(name) {
      const text = await (await fetch(metricsUrl)).text();
      return text
        .split('\n')
        .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
        .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
    },
    async [Symbol.asyncDispose]() {
      const exited = once(child, 'exit');
      if (child.exitCode === null && child.kill()) await exited;
    },
  };
}

/** User and system time of all threads of a process and of its children that have ended, so far. */
export function cpuSecondsOf(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS_PER_SECOND;
}

function memoryMiB(pid: number | undefined, what: 'VmHWM' | 'VmRSS'): number {
  return Number(new RegExp(`${what}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

async function ready(child: ChildProcess, url: string): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (child.exitCode !== null) throw new Error(`the process under test exited with ${child.exitCode}`);
    if (
      await fetch(url).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the process under test does not get ready');
}
