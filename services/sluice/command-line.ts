// The command line. The only place that reads argv and the environment: it finds the command, loads the configuration,
// turns signals into an AbortSignal, and turns errors into one line and an exit code.

import { readFileSync, readlinkSync, statSync } from 'node:fs';
import { isatty } from 'node:tty';
import { systemClock } from '#shared/clock.ts';
import { boundBufferGarbageFromNowOn } from '#shared/memory/buffer-garbage.ts';
import { exposedSecretFiles } from '#shared/config/secret-files.ts';
import { loadConfig } from '#shared/config/load.ts';
import { SluiceError, reasonOf } from '#shared/errors.ts';
import { messageLine } from './output/message-line.ts';
import type { Command, CommandContext } from './process/command.ts';
import { extractStartedBy } from './process/parent-processes.ts';
import { withInheritedSockets } from './process/socket-activation.ts';
import { stopSignal } from './process/stop-signal.ts';
import { terminalOf } from './terminal/terminal.ts';
import { VERSION } from './process/version.ts';
import type { WorkerChannel } from './process/worker-channel.ts';

interface Listed {
  readonly about: string;
  readonly load: () => Promise<Command>;
}

const commands: Record<string, Listed> = {
  run: {
    about: 'Everything in one process: forwarder, queue, indexer, store',
    load: () => import('./commands/run.ts'),
  },
  forwarder: {
    about: 'Takes logs from the nodes and puts them into the queue',
    load: () => import('./commands/forwarder.ts'),
  },
  collect: {
    about: 'Reads files of this machine as they grow, each line once',
    load: () => import('./commands/collect/collect.ts'),
  },
  pipe: {
    about: 'Sends the lines of its standard input to a running Sluice',
    load: () => import('./commands/collect/pipe.ts'),
  },
  exec: {
    about: 'Runs a program, and sends what it writes to a running Sluice',
    load: () => import('./commands/collect/exec.ts'),
  },
  import: {
    about: 'Reads finished files once, each line once, however often it is run',
    load: () => import('./commands/collect/import.ts'),
  },
  indexer: {
    about: 'Takes logs from the queue and puts them into the store',
    load: () => import('./commands/indexer.ts'),
  },
  logs: {
    about: 'Shows logs of a container, service, pod or tag, like `docker logs`',
    load: () => import('./commands/logs.ts'),
  },
  search: { about: 'Full-text search over the store', load: () => import('./commands/search.ts') },
  cat: { about: "Prints the queue's events as JSON lines", load: () => import('./commands/cat.ts') },
  'dead-letters': {
    about: 'What could not be indexed: list it, show it, replay it',
    load: () => import('./commands/dead-letters.ts'),
  },
  reindex: {
    about: 'Reads a range of the queue once more, and indexes what the store lacks',
    load: () => import('./commands/reindex.ts'),
  },
  erase: {
    about: 'Erases events from the store and the dead letters; tells first what would go',
    load: () => import('./commands/erase.ts'),
  },
  store: {
    about: 'Looks after the embedded store: sizes, compact, verify, export, import',
    load: () => import('./store/store.ts'),
  },
  lag: {
    about: 'Tells how far behind the indexers are, in records and seconds',
    load: () => import('./commands/lag.ts'),
  },
  check: {
    about: 'Validates the configuration and prints the effective one',
    load: () => import('./commands/check.ts'),
  },
  health: { about: 'Tells whether the Sluice of this machine is well', load: () => import('./commands/health.ts') },
  completion: {
    about: 'Makes bash, zsh or fish complete commands, options and names',
    load: () => import('./commands/completion.ts'),
  },
  setup: {
    about: 'Makes topics, templates and initial offsets; may run any number of times',
    load: () => import('./commands/setup.ts'),
  },
};

const help = `sluice ${VERSION}: takes logs from the log drivers of nodes, buffers them durably, and indexes them once.

Usage: sluice COMMAND [OPTIONS]

Commands:
${Object.entries(commands)
  .map(([name, { about }]) => `  ${name.padEnd(14)}${about}`)
  .join('\n')}

Options of every command:
  --config FILE   YAML file of settings; SLUICE_* variables win over it
  -h, --help      What the command does and takes
  --version       Version of Sluice and of Node

Exit codes: 0 done, 1 failed at work, 2 wrong usage or configuration.
`;

/** Runs the command that `argv` names. Resolves to the exit code. */
export async function runCommandLine(argv: string[]): Promise<number> {
  try {
    return await dispatch(argv);
  } catch (error) {
    if (isBrokenPipe(error)) return 0;
    const known = error instanceof SluiceError ? error : usageError(error);
    const lines = known ? known.message.split('\n') : [unexpected(error)];
    for (const line of lines) process.stderr.write(messageLine(line));
    return known ? known.kind.exit : 1;
  }
}

async function dispatch(argv: string[]): Promise<number> {
  const { file, rest } = takeConfigOption(argv);
  const [name, ...args] = rest;
  if (name === '--version') return print(`sluice ${VERSION}, node ${process.versions.node}\n`);
  if (name === '--help' || name === '-h' || name === 'help') return print(help);
  if (name === undefined) {
    process.stderr.write(help);
    return 2;
  }
  const listed = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!listed)
    throw new SluiceError('usage_wrong', `Cannot run "${name}": there is no such command; see \`sluice --help\``);
  const command = await listed.load();
  // What stands behind `--` is another program's.
  const own = args.includes('--') ? args.slice(0, args.indexOf('--')) : args;
  if (own.includes('--help') || own.includes('-h')) return print(command.help);
  const startedBy = extractStartedBy(process.env);
  const { env, pid } = process;
  const readFile = (path: string): string => readFileSync(path, 'utf8');
  const loaded = loadConfig({ env, file, readFile });
  const config = withInheritedSockets(loaded, { env, pid, readFile, readLink: (path) => readlinkSync(path) });
  const exposedSecrets = exposedSecretFiles({
    config,
    env,
    configFile: file ?? (env['SLUICE_CONFIG'] || undefined),
    modeOf,
  });
  const worker = await workerChannel();
  boundBufferGarbageFromNowOn();
  const asked = stopSignal(startedBy);
  const signal = worker ? AbortSignal.any([asked, worker.stopped]) : asked;
  return command.run(args, {
    config,
    exposedSecrets,
    stdout: process.stdout,
    stderr: process.stderr,
    signal,
    clock: systemClock,
    commands: Object.fromEntries(Object.entries(commands).map(([known, { load }]) => [known, load])),
    terminal: terminalOf({ env, isInteractive: isatty(0) && isatty(1) }),
    worker,
    kubernetes: kubernetesOf(env),
  });
}

/** As Kubernetes tells every pod; the node's name where the pod asks for it (downward API). Null: this is no pod. */
function kubernetesOf(env: NodeJS.ProcessEnv): CommandContext['kubernetes'] {
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '443', NODE_NAME: node = '' } = env;
  return host === '' ? null : { host, port: Number(port), node: node === '' ? null : node };
}

function modeOf(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.mode ?? null;
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}

/** `--config FILE` and `--config=FILE` may stand anywhere before `--`. */
function takeConfigOption(argv: readonly string[]): { file: string | undefined; rest: string[] } {
  const rest: string[] = [];
  let file: string | undefined;
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i] ?? '';
    if (argument === '--') return { file, rest: [...rest, ...argv.slice(i)] };
    if (argument === '--config') {
      file = argv[++i];
      if (file === undefined)
        throw new SluiceError('usage_wrong', 'Cannot read the configuration: --config names no file');
    } else if (argument.startsWith('--config=')) {
      file = argument.slice('--config='.length);
    } else {
      rest.push(argument);
    }
  }
  return { file, rest };
}

/** Undefined where this process is no worker of several. */
async function workerChannel(): Promise<WorkerChannel | undefined> {
  const slot = process.env['SLUICE_WORKER_SEAT'];
  if (slot === undefined) return undefined;
  const { openWorkerChannel } = await import('./process/worker-channel.ts');
  return openWorkerChannel(Number(slot));
}

function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EPIPE';
}

/** What node's parseArgs says of wrong options is the user's mistake, not a defect. */
function usageError(error: unknown): SluiceError | null {
  const parsing = error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  return parsing ? new SluiceError('usage_wrong', `${reasonOf(error)}; see --help`) : null;
}

/** An error that is not ours is a defect: its stack is what we need to mend it. */
function unexpected(error: unknown): string {
  return process.env['SLUICE_LOG_LEVEL'] === 'debug' && error instanceof Error
    ? (error.stack ?? '')
    : `Unexpected failure: ${reasonOf(error)}`;
}
