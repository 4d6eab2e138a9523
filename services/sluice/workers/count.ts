// The number of worker processes of a service: by `--workers`, else by the setting.

import { availableParallelism } from 'node:os';
import { SluiceError } from '#shared/errors.ts';
import type { CommandContext } from '../process/command.ts';

/** The same as the limit of the setting. */
const WORKERS_MAX = 64;

/** `option`: the value of `--workers`. 1 where this process is itself a worker. Throws usage_wrong. */
export function workersOf(option: string | undefined, { config, worker }: CommandContext): number {
  if (worker) return 1;
  const wanted = option === undefined || option === 'auto' ? (option ?? config.workers) : Number(option);
  if (wanted === 'auto') return Math.min(availableParallelism(), WORKERS_MAX);
  if (!Number.isInteger(wanted) || wanted < 1 || wanted > WORKERS_MAX) {
    throw new SluiceError('usage_wrong', `Cannot run "${option}" workers: it takes 1 to ${WORKERS_MAX}, or auto`);
  }
  return wanted;
}
