// What every command of the command line gets, and what it returns.

import type { Clock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import type { Terminal } from '../terminal/terminal.ts';
import type { KubernetesApi } from '#forwarder/collect/pods/api-answer.ts';
import type { WorkerChannel } from './worker-channel.ts';

export interface CommandContext {
  /** Effective configuration, from the environment and the file. */
  readonly config: Config;
  /** Files with secrets that others of this machine may read or write: a sentence each. */
  readonly exposedSecrets?: readonly string[] | undefined;
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Absent: it has colours, and no pager. */
  readonly terminal?: Terminal | undefined;
  /** By name, all that there are; for completion. */
  readonly commands?: Readonly<Record<string, () => Promise<Command>>> | undefined;
  /** Where this process is one of several workers: its channel to the primary. */
  readonly worker?: WorkerChannel | undefined;
  /** Where this is a pod. */
  readonly kubernetes?: KubernetesApi | null | undefined;
}

export interface Command {
  /** Printed by `sluice <command> --help`. */
  readonly help: string;
  /** Exit code: 0 done, 1 failed at work, 2 wrong usage. Errors may be thrown as SluiceErrors. */
  run(args: string[], context: CommandContext): Promise<number>;
}
