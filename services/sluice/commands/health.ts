// `sluice health`: asks a Sluice on this machine how it is, so that a container needs no curl for it.

import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import type { Config } from '#shared/config/settings.ts';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import { harmless } from '#shared/harmless.ts';
import { askAdmin } from '../admin/ask.ts';
import type { CommandContext } from '../process/command.ts';

export const help = `Usage: sluice health [--ready] [--config FILE]

Asks the process that listens on SLUICE_ADMIN_LISTEN, by TLS where SLUICE_ADMIN_TLS_CERT is set. With SLUICE_ADMIN_TOKEN it
hears the reasons why a process that has a token is not ready. Exit code 0 if it is well, 1 if not or if nobody answers.

  --ready   Whether it can take and pass on events, too; without it: whether it runs
`;

const ANSWER_MS = 2500;
/** It shows its reasons to those who show a token. */
const READY = '/readyz';

export async function run(args: string[], { config, stdout }: CommandContext): Promise<number> {
  const { values } = parseArgs({ args, options: { ready: { type: 'boolean' } } });
  const { status, body } = await ask(config, values.ready ? READY : '/livez');
  stdout.write(stdout.isTTY === true ? harmless(body) : body);
  return status === 200 ? 0 : 1;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

async function ask(config: Config, path: string): Promise<Answer> {
  try {
    const response = await askAdmin(config, { path, showsToken: path === READY, timeoutMs: ANSWER_MS });
    return { status: response.statusCode ?? 0, body: await text(response) };
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    throw new SluiceError('health_unknown', `Cannot ask Sluice on ${config['admin.listen']}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}
